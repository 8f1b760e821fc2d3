import { request, type IncomingHttpHeaders } from "node:http";
import { connectionTo, type Connection } from "./connection.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}
export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** A request by a connection of its own. */
export async function ask(url: string, asked: Asked = {}): Promise<Answer> {
  const { method = "GET", headers = {}, body } = asked;
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers, ...length }, agent: false };
    let status = 0;
    const sent = request(url, options, (answer) => {
      status = answer.statusCode ?? 0;
      const pieces: Buffer[] = [];
      answer.on("data", (piece: Buffer) => pieces.push(piece));
      answer.on("error", (error) => sent.destroy(error));
      answer.on("end", () => {
        const text = Buffer.concat(pieces).toString();
        resolve({ status, headers: answer.headers, text });
      });
    });
    sent.on("error", (error) => {
      // LAVA answers some changes by "no content" and with a content, which is no HTTP.
      if (status === 204) resolve({ status, headers: {}, text: "" });
      else reject(new Error(`${method} ${url}: ${error.message}`, { cause: error }));
    });
    sent.end(body);
  });
}

/** Of LAVA's REST API 0.2, as an administrator; text where the answer is no JSON. Throws with what it says when it refuses. */
export type Rest = <T>(method: string, where: string, body?: unknown) => Promise<T>;

export const restOf =
  (url: string, token: string): Rest =>
  async <T>(method: string, where: string, body?: unknown): Promise<T> => {
    const headers = { authorization: `Token ${token}`, "content-type": "application/json" };
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await ask(`${url}api/v0.2/${where}`, { method, headers, ...text });
    if (answer.status >= 300) {
      throw new Error(`${method} ${where}: ${answer.status} ${answer.text.slice(0, 300)}`);
    }
    const isJson = answer.headers["content-type"]?.includes("json");
    return (isJson && answer.text !== "" ? JSON.parse(answer.text) : answer.text) as T;
  };

export interface Load {
  readonly perSecond: number;
  readonly count: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** So many requests, or as many as can be had in a time. */
export type HowLong = { readonly requests: number } | { readonly seconds: number };

/** Requests by so many clients at a time, each with a connection of its own. Throws when one is refused. */
export async function load(
  howLong: HowLong,
  clients: number,
  url: string,
  one: (connection: Connection) => Promise<Answer>,
): Promise<Load> {
  const connections = Array.from({ length: clients }, () => connectionTo(url));
  const times: number[] = [];
  let left = "requests" in howLong ? howLong.requests : Infinity;
  const began = performance.now();
  const until = "seconds" in howLong ? began + howLong.seconds * 1000 : Infinity;
  const client = async (connection: Connection): Promise<void> => {
    while (left-- > 0 && performance.now() < until) {
      const start = performance.now();
      const { status, text } = await one(connection);
      if (status >= 300) throw new Error(`answered ${status}: ${text.slice(0, 300)}`);
      times.push(performance.now() - start);
    }
  };
  try {
    await Promise.all(connections.map(client));
  } finally {
    for (const connection of connections) connection.close();
  }
  const seconds = (performance.now() - began) / 1000;
  const count = times.length;
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.min(count - 1, Math.floor(part * count))]!;
  return { count, perSecond: count / seconds, medianMs: at(0.5), p99Ms: at(0.99) };
}
