import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface HookReceiver {
  readonly url: string;
  readonly received: Received[];
  /** What it answers from now on; 200 at first. */
  answer(status: number, text?: string): void;
  close(): Promise<void>;
}

/** A real HTTP server on loopback that takes callbacks and webhooks. */
export async function hookReceiver(): Promise<HookReceiver> {
  const received: Received[] = [];
  let answer: [number, string] = [200, "thanks"];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { method = "", url: path = "", headers } = request;
    received.push({ method, path, headers, body });
    response.writeHead(answer[0]).end(answer[1]);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: (status, text = "") => void (answer = [status, text]),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
