import { Agent, request, type IncomingHttpHeaders } from "node:http";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}
export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly agent?: Agent;
}

/** The one HTTP client for both labs: costs little itself. A connection is kept as long as its `agent`. */
export async function ask(url: string, asked: Asked = {}): Promise<Answer> {
  const { method = "GET", headers = {}, body, agent } = asked;
  const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...headers, ...length }, agent: agent ?? false };
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
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** `count` requests by so many clients at a time, each with a connection of its own. Throws when one is refused. */
export async function load(
  count: number,
  clients: number,
  one: (agent: Agent) => Promise<Answer>,
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const times: number[] = [];
  let left = count;
  const began = performance.now();
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const start = performance.now();
      const { status, text } = await one(agent);
      if (status >= 300) throw new Error(`answered ${status}: ${text.slice(0, 300)}`);
      times.push(performance.now() - start);
    }
  };
  try {
    await Promise.all(Array.from({ length: clients }, client));
  } finally {
    agent.destroy();
  }
  const seconds = (performance.now() - began) / 1000;
  times.sort((a, b) => a - b);
  const at = (part: number): number =>
    times[Math.min(times.length - 1, Math.floor(part * times.length))]!;
  return { perSecond: count / seconds, medianMs: at(0.5), p99Ms: at(0.99) };
}
