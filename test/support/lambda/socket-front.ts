import { once } from "node:events";
import { randomBytes, randomUUID } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import type { Credentials } from "../../../control-plane/engines/aws/place.ts";
import { AwsRefusal, readRequest } from "../aws/exchange.ts";
import { verifySignature } from "../aws/sigv4.ts";

/**
 * API Gateway's WebSocket API, by its documentation: a connection is one once the function has said yes to `$connect`; until then, and
 * once it is closed, `@connections/ID` answers 410. `$disconnect` is told when it is closed, `$default` answers nothing (a mock).
 */
export interface SocketFront {
  /** For clients: `ws://127.0.0.1:PORT/ws`. */
  readonly url: string;
  /** For the function: `http://127.0.0.1:PORT/ws`. */
  readonly connectionsUrl: string;
  /** Ids of the connections that are open. */
  open(): string[];
  /** The next posts to a connection, or to any, are answered so; `forever` until the front is closed. */
  fail(status: number, times: number, id?: string): void;
  /** Resolves when as many posts as this were answered since the start, whatever with. */
  posted(count: number): Promise<void>;
  /** What was posted, in order, whatever with: status and connection. */
  readonly posts: readonly { readonly status: number; readonly id: string }[];
  /** As after ten minutes in which nobody said anything, or two hours. */
  closeAll(): Promise<void>;
  close(): Promise<void>;
}

interface Options {
  /** The function that the routes `$connect` and `$disconnect` call; its answer as text. Throws when it failed. */
  readonly invoke: (event: unknown) => Promise<string>;
  readonly region: string;
  readonly credentials: Credentials;
  readonly now?: () => number;
}

/** Of a message that is posted. */
const MAX_BYTES = 128 * 1024;
const STAGE = "/ws";

export async function startSocketFront({
  invoke,
  region,
  credentials,
  now = Date.now,
}: Options): Promise<SocketFront> {
  const connections = new Map<string, WebSocket>();
  const faults: { status: number; times: number; id: string | undefined }[] = [];
  const posts: { status: number; id: string }[] = [];
  const leaving = new Set<Promise<unknown>>();
  let heard = () => {};
  const sockets = new WebSocketServer({ noServer: true });
  const server = http.createServer((request, response) => {
    void (async () => {
      const { status, id } = await manage(request);
      response.writeHead(status, { "content-type": "application/json" }).end("{}");
      if (request.method !== "POST") return;
      posts.push({ status, id });
      heard();
    })();
  });

  async function manage(incoming: http.IncomingMessage): Promise<{ status: number; id: string }> {
    const request = await readRequest(incoming, 10 * 2 ** 20);
    const [, text = ""] = /^\/ws\/@connections\/([^/]+)$/.exec(request.path) ?? [];
    const id = decodeURIComponent(text);
    try {
      verifySignature(request, { service: "execute-api", region, credentials, now: now() });
    } catch (error) {
      if (error instanceof AwsRefusal) return { status: 403, id };
      throw error;
    }
    const fault = faults.find((one) => one.times > 0 && (one.id ?? id) === id);
    if (fault && request.method === "POST") {
      fault.times--;
      return { status: fault.status, id };
    }
    const socket = connections.get(id);
    if (!socket) return { status: 410, id };
    if (request.method === "DELETE") {
      socket.close();
      return { status: 204, id };
    }
    if (request.body.length > MAX_BYTES) return { status: 413, id };
    socket.send(request.body.toString());
    return { status: 200, id };
  }

  server.on("upgrade", (request: http.IncomingMessage, socket, head) => {
    const refuse = (status: number, body = "") =>
      socket.end(`HTTP/1.1 ${status} no\r\nconnection: close\r\n\r\n${body}`);
    void (async () => {
      const url = new URL(request.url ?? "/", "http://gateway");
      if (url.pathname !== STAGE) return refuse(403, '{"message":"Forbidden"}');
      const id = randomBytes(11).toString("base64");
      const event = (type: string, rest: object = {}) => eventOf(id, type, request, rest);
      const query = Object.fromEntries(url.searchParams);
      const asked = { headers: headersOf(request), queryStringParameters: query };
      const answer = await invoke(event("CONNECT", asked)).catch(() => '{"statusCode":502}');
      const { statusCode = 500, body } = JSON.parse(answer) as {
        statusCode?: number;
        body?: string;
      };
      if (statusCode < 200 || statusCode >= 300) return refuse(statusCode, body);
      sockets.handleUpgrade(request, socket, head, (client) => {
        connections.set(id, client);
        client.on("close", () => {
          connections.delete(id);
          const told = invoke(event("DISCONNECT")).catch(() => {});
          leaving.add(told);
          void told.then(() => leaving.delete(told));
        });
      });
    })().catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function closeAll(): Promise<void> {
    const closed = [...connections.values()].map(async (client) => {
      const gone = once(client, "close");
      client.close(1001, "Going away");
      await gone;
    });
    await Promise.all(closed);
    await Promise.all(leaving);
  }
  return {
    url: `ws://${host}${STAGE}`,
    connectionsUrl: `http://${host}${STAGE}`,
    open: () => [...connections.keys()],
    fail: (status, times, id) => void faults.push({ status, times, id }),
    posts,
    async posted(count) {
      while (posts.length < count) await new Promise<void>((resolve) => (heard = resolve));
    },
    closeAll,
    async close() {
      for (const client of connections.values()) client.terminate();
      sockets.close();
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
      await Promise.all(leaving);
    },
  };
}

/** As the client wrote their names. */
function headersOf({ rawHeaders }: http.IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = 0; at < rawHeaders.length; at += 2) {
    headers[rawHeaders[at] ?? ""] = rawHeaders[at + 1] ?? "";
  }
  return headers;
}

const eventOf = (id: string, type: string, request: http.IncomingMessage, rest: object) => ({
  ...rest,
  requestContext: {
    routeKey: `$${type.toLowerCase()}`,
    eventType: type,
    connectionId: id,
    requestId: randomUUID(),
    stage: "ws",
    apiId: "gateway",
    domainName: "gateway",
    identity: { sourceIp: request.socket.remoteAddress },
  },
  isBase64Encoded: false,
});
