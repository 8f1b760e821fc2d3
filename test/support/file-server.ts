import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";

export interface ServedFile {
  bytes: Buffer;
  /** Sent as it is; a strong one of the bytes when not given, none when empty. */
  etag?: string;
  headers?: Record<string, string>;
  /** Sends so many bytes of each answer, then waits for `go`. */
  holdAfter?: number;
  /** Breaks each connection after so many bytes. */
  breakAfter?: number;
  /** Only to who sends this header. */
  needs?: [name: string, value: string];
}

export interface FileServer {
  readonly base: string;
  files: Record<string, ServedFile>;
  /** `METHOD PATH STATUS` and for a part `START-`, in the order of the answers. */
  readonly seen: string[];
  /** Resolves when an answer is held. */
  held(): Promise<void>;
  go(): void;
  close(): Promise<void>;
}

/** An HTTP server on loopback with tags, ranges and conditions, which writes down what it is asked. */
export async function fileServer(): Promise<FileServer> {
  let waiting: (() => void)[] = [];
  let heldCalls: (() => void)[] = [];
  const self: Omit<FileServer, "base"> = {
    files: {},
    seen: [],
    held: () =>
      new Promise((resolve) => (waiting.length > 0 ? resolve() : heldCalls.push(resolve))),
    go: () => {
      for (const one of waiting) one();
      waiting = [];
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  const server = http.createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const file = self.files[url];
    const answer = (status: number, more: http.OutgoingHttpHeaders = {}, from = 0): void => {
      self.seen.push(`${method} ${url} ${status}${from > 0 ? ` ${from}-` : ""}`);
      response.writeHead(status, more);
    };
    if (!file || (file.needs && headers[file.needs[0]] !== file.needs[1])) {
      answer(404);
      return void response.end();
    }
    const { bytes } = file;
    const etag = file.etag ?? `"${createHash("md5").update(bytes).digest("hex")}"`;
    const common = { ...(etag ? { etag } : {}), ...file.headers };
    if (etag && headers["if-none-match"] === etag) {
      answer(304, common);
      return void response.end();
    }
    const [, asked] = /^bytes=(\d+)-$/.exec(headers.range ?? "") ?? [];
    const from = asked && headers["if-range"] === etag ? Number(asked) : 0;
    const body = bytes.subarray(from);
    const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`;
    answer(
      from > 0 ? 206 : 200,
      { ...common, "content-length": body.length, ...(from > 0 ? { "content-range": range } : {}) },
      from,
    );
    if (method === "HEAD") return void response.end();
    const first = file.breakAfter ?? file.holdAfter;
    if (first === undefined || first >= body.length) return void response.end(body);
    response.write(body.subarray(0, first), () => {
      if (file.breakAfter !== undefined) return void response.destroy();
      waiting.push(() => response.end(body.subarray(first)));
      for (const one of heldCalls) one();
      heldCalls = [];
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(self, {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
}
