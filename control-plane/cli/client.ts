import { setTimeout as sleep } from "node:timers/promises";
import type { Problem } from "#protocol/api.ts";
import { fetchFault } from "./fetch-fault.ts";
import { printable } from "./printable.ts";

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
  /** Sends and reads JSON. `leave`: this request alone is given up. With a `key` it may be sent again without being done twice. */
  json<T>(
    method: string,
    where: string,
    body?: unknown,
    leave?: AbortSignal,
    key?: string,
  ): Promise<T>;
  text(where: string): Promise<string>;
  /** Sends a text or a file as it is, and reads JSON. With a `key` it may be sent again without being done twice. */
  send<T>(
    method: string,
    where: string,
    body: string | Uint8Array<ArrayBuffer>,
    key?: string,
  ): Promise<T>;
}

export interface ClientOptions {
  readonly url: string;
  readonly token: string;
  readonly signal: AbortSignal;
  /** How long a request that may be repeated is tried when nobody answers. */
  readonly patienceMs: number;
  /** Before the second try; doubled before each that follows. */
  readonly pauseMs?: number;
  /** Told before each new try. */
  readonly onRetry?: (why: string) => void;
}

const TIMEOUT_MS = 60_000;
const MAX_PAUSE_MS = 5_000;
/** Somebody between us and the control plane, or its restart. */
const PASSING = new Set([502, 503, 504]);

/**
 * Speaks to the control plane's API. What may be repeated without harm is tried again when the
 * connection fails or a proxy answers for a server that is just being started. Throws ClientError, or
 * AbortError when `signal` says so.
 */
export function makeClient(options: ClientOptions): Client {
  const { token, signal, patienceMs, onRetry } = options;
  const url = options.url.replace(/\/+$/, "");

  async function attempt(
    where: string,
    { method = "GET", body, type, key, leave }: Sent,
  ): Promise<string> {
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(`${url}/api/v1${where}`, {
        method,
        ...(body === undefined ? {} : { body }),
        headers: {
          authorization: `Bearer ${token}`,
          ...(type ? { "content-type": type } : {}),
          ...(key === undefined ? {} : { "idempotency-key": key }),
        },
        signal: AbortSignal.any([
          signal,
          AbortSignal.timeout(TIMEOUT_MS),
          ...(leave ? [leave] : []),
        ]),
      });
      text = await answer.text();
    } catch (error) {
      if (signal.aborted || leave?.aborted) throw error;
      throw new Unreachable(url, error);
    }
    if (answer.ok) return text;
    throw refusal(answer.status, text);
  }

  async function ask(where: string, sent: Sent = {}): Promise<string> {
    const repeatable = sent.method !== "POST" || sent.key !== undefined;
    const deadline = Date.now() + patienceMs;
    for (let pauseMs = options.pauseMs ?? 250; ; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        return await attempt(where, sent);
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (!mayPass(error, repeatable)) throw repeatable ? error : withDoubt(error);
        if (Date.now() + pauseMs > deadline) throw error;
        onRetry?.(error.message);
      }
      await sleep(pauseMs, undefined, { signal });
    }
  }

  return {
    url,
    async json<T>(
      method: string,
      where: string,
      body?: unknown,
      leave?: AbortSignal,
      key?: string,
    ) {
      const json = { body: JSON.stringify(body), type: "application/json" };
      const text = await ask(where, {
        method,
        ...(body === undefined ? {} : json),
        ...(leave ? { leave } : {}),
        ...(key === undefined ? {} : { key }),
      });
      return (text === "" ? undefined : parseJson(url, text)) as T;
    },
    text: (where) => ask(where),
    async send<T>(
      method: string,
      where: string,
      body: string | Uint8Array<ArrayBuffer>,
      key?: string,
    ) {
      const type = typeof body === "string" ? "application/yaml" : "application/octet-stream";
      const sent = { method, body, type };
      const text = await ask(where, key === undefined ? sent : { ...sent, key });
      return parseJson(url, text) as T;
    },
  };
}

interface Sent {
  method?: string;
  body?: string | Uint8Array<ArrayBuffer>;
  /** Media type of the body. */
  type?: string;
  /** `Idempotency-Key` */
  key?: string;
  leave?: AbortSignal;
}

/** Whether trying again may help, and can't do twice what was asked once. */
const mayPass = (error: ClientError, repeatable: boolean): boolean =>
  error instanceof Unreachable
    ? !error.lasts && (repeatable || error.neverArrived)
    : repeatable && (PASSING.has(error.status ?? 0) || isOfGateway(error));

/** AWS's gateway says so of a function that died or did not answer in time; the control plane's own failures have a code. */
const isOfGateway = ({ status, problem }: ClientError): boolean =>
  status === 500 && problem?.code === undefined;

/** A request that must not be sent twice, and of which nobody knows whether it was heard. */
const withDoubt = (error: ClientError): ClientError =>
  error instanceof Unreachable && !error.neverArrived
    ? new ClientError(
        `${error.message}; it may have been done all the same: look before you repeat it`,
      )
    : error;

class Unreachable extends ClientError {
  /** Nobody took the connection, so nothing was done. */
  readonly neverArrived: boolean;
  /** Time alone does not mend it: another address or certificate does. */
  readonly lasts: boolean;

  constructor(url: string, error: unknown) {
    const { why, neverArrived, lasts } = fetchFault(error);
    super(`${url} can't be reached: ${why}`);
    this.neverArrived = neverArrived;
    this.lasts = lasts;
  }
}

function refusal(status: number, text: string): ClientError {
  let problem: Problem | undefined;
  try {
    problem = JSON.parse(text) as Problem;
  } catch {
    // Not the control plane answered but something before it.
  }
  const said = printable(problem?.message ?? text.slice(0, 200)) || `HTTP ${status}`;
  const hint = status === 401 ? TOKEN_HINT : "";
  return new ClientError(`${said}${hint}`, status, problem);
}

const TOKEN_HINT =
  " (is the token right, of this control plane, and neither expired nor revoked? `pumice tokens add`, by somebody who is let in, makes another)";

function parseJson(url: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ClientError(`what answers at ${url} is no Pumice control plane`);
  }
}
