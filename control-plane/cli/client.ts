import { setTimeout as sleep } from "node:timers/promises";
import type { Problem } from "#protocol/api.ts";

/** The control plane refused or could not be reached. */
export class ClientError extends Error {
  override readonly name = "ClientError";
  readonly status: number | undefined;
  readonly problem: Problem | undefined;

  constructor(message: string, status?: number, problem?: Problem) {
    super(message);
    this.status = status;
    this.problem = problem;
  }
}

export interface Client {
  readonly url: string;
  json<T>(method: string, where: string, body?: unknown): Promise<T>;
  text(where: string): Promise<string>;
  /** Sends a text as it is. */
  post<T>(where: string, text: string): Promise<T>;
}

export interface ClientOptions {
  readonly url: string;
  readonly token: string;
  readonly signal: AbortSignal;
  readonly pauseMs?: (attempt: number) => number;
}

const TIMEOUT_MS = 60_000;
const ATTEMPTS = 5;
/** Somebody between us and the control plane, or its restart. */
const PASSING = new Set([502, 503, 504]);

/**
 * Speaks to the control plane's API. What may be repeated without harm is tried again when the
 * connection fails or a proxy answers for a server that is just being started.
 */
export function makeClient(options: ClientOptions): Client {
  const { token, signal } = options;
  const url = options.url.replace(/\/+$/, "");

  async function ask(where: string, init: RequestInit, repeatable: boolean): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const last = attempt === ATTEMPTS || !repeatable;
      try {
        const answer = await fetch(`${url}/api/v1${where}`, {
          ...init,
          headers: { authorization: `Bearer ${token}`, ...init.headers },
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        });
        if (answer.ok) return answer;
        if (last || !PASSING.has(answer.status)) throw await refusal(answer);
      } catch (error) {
        if (error instanceof ClientError || signal.aborted) throw error;
        if (last) throw unreachable(url, error);
      }
      await sleep(options.pauseMs?.(attempt) ?? 250 * 2 ** attempt, undefined, { signal });
    }
  }

  return {
    url,
    json: async <T>(method: string, where: string, body?: unknown) => {
      const init =
        body === undefined
          ? { method }
          : {
              method,
              body: JSON.stringify(body),
              headers: { "content-type": "application/json" },
            };
      const answer = await ask(where, init, method !== "POST");
      const text = await answer.text();
      return (text === "" ? undefined : JSON.parse(text)) as T;
    },
    text: async (where) => (await ask(where, {}, true)).text(),
    post: async <T>(where: string, body: string) => {
      const headers = { "content-type": "application/yaml" };
      const answer = await ask(where, { method: "POST", body, headers }, false);
      return (await answer.json()) as T;
    },
  };
}

async function refusal(answer: Response): Promise<ClientError> {
  const text = await answer.text();
  let problem: Problem | undefined;
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    // Not the control plane answered but something before it.
  }
  const said = problem?.message ?? text.slice(0, 200);
  const message = answer.status === 401 ? `${said} (is the token right?)` : said;
  return new ClientError(message || `HTTP ${answer.status}`, answer.status, problem);
}

function unreachable(url: string, error: unknown): ClientError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const why = cause instanceof Error ? cause.message || cause.name : String(cause);
  return new ClientError(`${url} can't be reached: ${why}`);
}
