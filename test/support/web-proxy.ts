import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { ServerCertificate } from "./certificates.ts";

export interface WebProxy {
  readonly port: number;
  /** What it was asked for: `CONNECT host:port` or `GET http://...`. */
  readonly asked: string[];
  close: () => Promise<void>;
}

export interface WebProxyOptions {
  /** `user:password`; anybody may when not given. */
  readonly login?: string;
  /** Where every name leads, whatever the client asks for: a proxy knows names that the client doesn't. */
  readonly resolve?: (host: string) => string;
  /** It speaks TLS itself. */
  readonly certificate?: ServerCertificate;
}

/** An HTTP proxy on loopback: CONNECT, absolute URLs, basic authentication. */
export async function startWebProxy(options: WebProxyOptions = {}): Promise<WebProxy> {
  const { login, resolve = (host) => host, certificate } = options;
  const asked: string[] = [];
  const sockets = new Set<Duplex>();
  const wanted = login && `Basic ${Buffer.from(login).toString("base64")}`;
  const mayPass = (request: http.IncomingMessage): boolean =>
    wanted === undefined || request.headers["proxy-authorization"] === wanted;
  const server = certificate ? https.createServer(certificate) : http.createServer();
  server.on("connection", (socket) => sockets.add(socket));
  server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) => {
    asked.push(`${request.method} ${request.url}`);
    if (!mayPass(request)) return response.writeHead(407).end();
    const url = new URL(request.url ?? "");
    const { method, headers } = request;
    const host = resolve(url.hostname.replace(/^\[|\]$/g, ""));
    const onward = http.request({ host, port: url.port, path: url.pathname, method, headers });
    onward.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  server.on("connect", (request: http.IncomingMessage, socket: Duplex) => {
    asked.push(`CONNECT ${request.url}`);
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    if (!mayPass(request)) {
      return socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    if (hostname === "forbidden.test") return socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    const onward = net.connect(Number(port), resolve(hostname.replace(/^\[|\]$/g, "")), () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    sockets.add(onward);
    onward.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
