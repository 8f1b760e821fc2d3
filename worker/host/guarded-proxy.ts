import http from "node:http";
import net, { type AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { reachableAddresses, type DownloadRules } from "./download-rules.ts";

/** A proxy on this machine for a program that follows redirects by itself, as git does. */
export interface GuardedProxy {
  readonly url: string;
  /** Why it last refused; undefined when it has not. */
  refused(): unknown;
  close(): void;
}

/** Lets through to the hosts that a job may reach, and connects to the addresses that were looked at. It listens until it is closed. */
export async function openGuardedProxy(rules: DownloadRules): Promise<GuardedProxy> {
  let refused: unknown;
  const sockets = new Set<Duplex>();
  const track = (socket: Duplex): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  };
  const connect = async (url: string, { hostname, port }: URL): Promise<net.Socket> => {
    try {
      const socket = await connectTo(rules, url, hostname, Number(port || 80));
      track(socket);
      return socket;
    } catch (error) {
      refused = error;
      throw error;
    }
  };
  const server = http.createServer((request, answer) => {
    const target = parsed(request.url);
    if (target?.protocol !== "http:") return void answer.writeHead(400).end();
    connect(target.href, target).then(
      (socket) => forward(request, answer, target, socket),
      () => answer.writeHead(403).end("not for the jobs of this worker"),
    );
  });
  server.on("connection", track);
  server.on("connect", (request, client: Duplex, head: Buffer) => {
    const target = parsed(`http://${request.url}`);
    if (!target) return void client.end("HTTP/1.1 400 Bad Request\r\n\r\n");
    connect(`https://${request.url}`, target).then(
      (socket) => tunnel(client, socket, head),
      () => client.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    refused: () => refused,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function connectTo(
  rules: DownloadRules,
  url: string,
  hostname: string,
  port: number,
): Promise<net.Socket> {
  const host = hostname.replace(/^\[|\]$/g, "");
  const addresses = await reachableAddresses(rules, { url, host });
  const [first = { address: host, family: 4 }] = addresses;
  return net.connect({
    ...{ host, port, autoSelectFamily: true },
    lookup: (_name, { all }, done) =>
      all === true ? done(null, addresses) : done(null, first.address, first.family),
  });
}

function forward(
  request: http.IncomingMessage,
  answer: http.ServerResponse,
  { pathname, search }: URL,
  socket: net.Socket,
): void {
  const headers = { ...request.headers, connection: "close" };
  const { method = "GET" } = request;
  const options = { method, path: `${pathname}${search}`, headers };
  const sent = http.request({ ...options, createConnection: () => socket });
  sent.on("response", (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  sent.on("error", () => answer.destroy());
  request.pipe(sent);
}

function tunnel(client: Duplex, socket: net.Socket, head: Buffer): void {
  socket.once("close", () => client.destroy());
  client.once("close", () => socket.destroy());
  socket.once("connect", () => {
    client.write("HTTP/1.1 200 OK\r\n\r\n");
    socket.write(head);
    socket.pipe(client).pipe(socket);
  });
}

const parsed = (url = ""): URL | undefined => (URL.canParse(url) ? new URL(url) : undefined);
