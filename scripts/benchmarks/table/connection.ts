import { connect, type Socket } from "node:net";
import type { Answer, Asked } from "./client.ts";

/**
 * A connection of HTTP/1.1 for requests one after the other, the same for both labs. Made for this: on a machine of two cores the client
 * must not cost what it measures, and Node.js's own takes twice as much.
 */
export interface Connection {
  /** `path` begins with a slash. Connects anew where the server has closed. */
  ask(path: string, asked: Asked): Promise<Answer>;
  close(): void;
}

/** Longer than any answer is held back. */
const SILENT_MS = 120_000;
const BLANK_LINE = "\r\n\r\n";

export function connectionTo(url: string): Connection {
  const { hostname, port, host } = new URL(url);
  let socket: Socket | undefined;
  return {
    close: () => socket?.destroy(),
    async ask(path, { method = "GET", headers = {}, body = "" }) {
      if (!socket?.writable) {
        socket = connect({ host: hostname, port: Number(port), noDelay: true });
        socket.setTimeout(SILENT_MS, () => socket?.destroy());
      }
      const fields = { host, "content-length": String(Buffer.byteLength(body)), ...headers };
      const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
      const answer = answerOn(socket, `${method} ${path}`);
      socket.write(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
      const { isLast, ...rest } = await answer;
      if (isLast) socket.destroy();
      return rest;
    },
  };
}

function answerOn(socket: Socket, asked: string): Promise<Answer & { isLast: boolean }> {
  return new Promise((resolve, reject) => {
    let got: Buffer = Buffer.alloc(0);
    let head: Head | undefined;
    const end = (finish: () => void): void => {
      socket.off("data", take).off("error", fail).off("close", ended);
      finish();
    };
    const fail = (cause: Error): void =>
      end(() => reject(new Error(`${asked}: ${cause.message}`, { cause })));
    const tell = (body: Buffer, isLast: boolean): void => {
      const { status, headers } = head!;
      end(() => resolve({ status, headers, text: body.toString(), isLast }));
    };
    const take = (piece: Buffer): void => {
      got = got.length === 0 ? piece : Buffer.concat([got, piece]);
      head ??= headOf(got);
      const body = head && bodyOf(got.subarray(head.length), head);
      if (body) tell(body, head?.headers["connection"] === "close");
    };
    const ended = (): void => {
      const isWhole = head && !isChunked(head) && head.headers["content-length"] === undefined;
      if (head && isWhole) tell(got.subarray(head.length), true);
      else fail(new Error("the server closed before its answer was whole"));
    };
    socket.on("data", take).on("error", fail).on("close", ended);
  });
}

interface Head {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** With the blank line behind it. */
  readonly length: number;
}

function headOf(got: Buffer): Head | undefined {
  const end = got.indexOf(BLANK_LINE);
  if (end === -1) return undefined;
  const [first = "", ...lines] = got.toString("latin1", 0, end).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { status: Number(first.split(" ")[1]), headers, length: end + BLANK_LINE.length };
}

const isChunked = ({ headers }: Head): boolean => headers["transfer-encoding"] === "chunked";

/** Undefined as long as it has not all come. */
function bodyOf(got: Buffer, head: Head): Buffer | undefined {
  if (isChunked(head)) return chunksIn(got);
  const length = head.status === 204 ? 0 : Number(head.headers["content-length"] ?? NaN);
  return got.length >= length ? got.subarray(0, length) : undefined;
}

function chunksIn(got: Buffer): Buffer | undefined {
  const pieces: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = got.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const length = Number.parseInt(got.toString("latin1", at, lineEnd), 16);
    const from = lineEnd + 2;
    if (got.length < from + length + 2) return undefined;
    if (length === 0) return Buffer.concat(pieces);
    pieces.push(got.subarray(from, from + length));
    at = from + length + 2;
  }
}
