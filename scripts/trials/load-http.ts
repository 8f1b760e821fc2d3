import type { Answer, Asked } from "../benchmarks/table/client.ts";
import { connectionTo, type Connection } from "../benchmarks/table/connection.ts";

export interface Http {
  /** Given up, and its connection closed, when `signal` is aborted. Concurrent requests are fine. */
  readonly ask: (
    path: string,
    asked: Asked & { readonly signal?: AbortSignal | undefined },
  ) => Promise<Answer>;
}

/** A server closes a connection that nobody has used for 75 s; one that is just being closed is not to be met. */
const MOST_IDLE_MS = 60_000;

/** As one of the lab's programs holds its connections: one for each request at a time, and kept for the next. */
export function keptConnections(url: string): Http {
  const idle: { connection: Connection; since: number }[] = [];
  return {
    async ask(path, { signal, ...asked }) {
      signal?.throwIfAborted();
      const kept = idle.pop();
      const isFresh = kept && performance.now() - kept.since < MOST_IDLE_MS;
      if (kept && !isFresh) kept.connection.close();
      const connection = isFresh ? kept.connection : connectionTo(url);
      const close = (): void => connection.close();
      signal?.addEventListener("abort", close);
      try {
        const answer = await connection.ask(path, asked);
        idle.push({ connection, since: performance.now() });
        return answer;
      } catch (error) {
        signal?.throwIfAborted();
        throw error;
      } finally {
        signal?.removeEventListener("abort", close);
      }
    },
  };
}

/** One's own: many that listen to the same signal, and stop so with each request, have to be looked through each time. */
export function signalUnder(stop: AbortSignal): AbortSignal {
  const own = new AbortController();
  stop.addEventListener("abort", () => own.abort(), { once: true });
  return own.signal;
}

/** The little of the command line's client that is needed. Nothing is tried twice: what a patient client would hide is to be seen. */
export interface LightClient {
  json<T>(method: string, where: string, body?: unknown, signal?: AbortSignal): Promise<T>;
  /** Sends YAML. */
  send<T>(method: string, where: string, body: string): Promise<T>;
}

export function lightClient(url: string, token: string): LightClient {
  const { ask } = keptConnections(url);
  async function sent<T>(
    where: string,
    { type, ...asked }: Parameters<Http["ask"]>[1] & { type: string },
  ): Promise<T> {
    const headers = { authorization: `Bearer ${token}`, "content-type": type };
    const { status, text } = await ask(`/api/v1${where}`, { ...asked, headers });
    if (status < 200 || status > 299) throw new Error(`${status} ${text.slice(0, 200)}`);
    return JSON.parse(text) as T;
  }
  return {
    json: (method, where, json, signal) => {
      const body = json === undefined ? "" : JSON.stringify(json);
      return sent(where, { method, body, signal, type: "application/json" });
    },
    send: (method, where, body) => sent(where, { method, body, type: "application/yaml" }),
  };
}
