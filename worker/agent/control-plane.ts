import {
  relayInputReplySchema,
  relayOutputReplySchema,
  type RelayInput,
  type RelayInputReply,
  type RelayOutput,
  type RelayOutputReply,
} from "#protocol/console-requests.ts";
import {
  logCommitResponseSchema,
  logTailResponseSchema,
  logUploadResponseSchema,
  syncResponseSchema,
  type FinishRequest,
  type LogCommitRequest,
  type LogUploadRequest,
  type LogUploadResponse,
  type RotationRequest,
  type SyncRequest,
  type SyncResponse,
} from "#protocol/worker-api.ts";
import { HttpError, type HttpClient } from "../host/http-client.ts";
import { check } from "./check.ts";

/** A job as its own token sees it. */
export interface JobAccess {
  readonly id: number;
  readonly token: string;
}

const TIMEOUT_MS = 30_000;
/** For a chunk on a slow uplink. */
const UPLOAD_TIMEOUT_MS = 120_000;
/** How long the server may be late with an answer that it held back. */
const HOLD_MARGIN_MS = 15_000;
/** Far more than the messages that one answer of a queue can hold. */
const MAX_QUEUE_BYTES = 64 * 1024;
/** A few hundred tickets with long definitions. */
const MAX_SYNC_BYTES = 32 * 1024 * 1024;

/** 64 pieces of what somebody typed. */
const MAX_CONSOLE_ANSWER_BYTES = 4 * 1024 * 1024;

/** The calls of worker-api.ts. All throw `HttpError` (an answer of another
 * shape: a plain error), all may be repeated. */
export class ControlPlane {
  readonly #http: Pick<HttpClient, "request">;
  readonly #workerToken: () => string;
  #logBodyBytes = 0;

  constructor(http: Pick<HttpClient, "request">, workerToken: () => string) {
    this.#http = http;
    this.#workerToken = workerToken;
  }

  async sync(json: SyncRequest, signal: AbortSignal): Promise<SyncResponse> {
    const answer = await this.#http.request({
      method: "POST",
      url: "api/v1/worker/sync",
      token: this.#workerToken(),
      json,
      timeoutMs: json.wait_seconds * 1000 + HOLD_MARGIN_MS,
      maxAnswerBytes: MAX_SYNC_BYTES,
      signal,
    });
    const checked = check(syncResponseSchema, answer, "the answer to sync");
    this.#logBodyBytes = checked.log_body_bytes ?? 0;
    return checked;
  }

  /** How large a chunk may be that comes with its commit, by the last answer to sync: 0 of an older server. */
  logBodyBytes(): number {
    return this.#logBodyBytes;
  }

  /** Makes a token of this worker's own making valid. */
  async registerToken(json: RotationRequest, signal: AbortSignal): Promise<void> {
    await this.#http.request({
      method: "POST",
      url: "api/v1/worker/token",
      token: this.#workerToken(),
      json,
      timeoutMs: TIMEOUT_MS,
      signal,
    });
  }

  /**
   * What the queue of a `queue` wait answers, within `holdMs` and a margin. Throws `HttpError`, with status 0 when
   * the connection broke or the answer didn't come, in which case a message may have been lost with it.
   */
  async askQueue(url: string, holdMs: number, signal: AbortSignal): Promise<string> {
    if (!/^https?:\/\//i.test(url)) throw new Error("expected a URL with https:// or http://");
    const answer = await this.#http.request({
      method: "GET",
      url,
      // Some queues answer in JSON those who say that they prefer it.
      headers: { accept: "*/*" },
      answer: "text",
      isOnce: true,
      timeoutMs: holdMs + HOLD_MARGIN_MS,
      maxAnswerBytes: MAX_QUEUE_BYTES,
      signal,
    });
    return String(answer);
  }

  /** The next line that the control plane expects. */
  async logTail(job: JobAccess, signal: AbortSignal): Promise<number> {
    const answer = await this.#ofJob("GET", job, "log-tail", undefined, signal);
    return check(logTailResponseSchema, answer, "the answer to log-tail").next_line;
  }

  async logUpload(job: JobAccess, json: LogUploadRequest, signal: AbortSignal) {
    const answer = await this.#ofJob("POST", job, "log-uploads", json, signal);
    return check(logUploadResponseSchema, answer, "the answer to log-uploads");
  }

  /** Throws a plain error when the storage refuses: an expired place or a slow line, not the job or its content. */
  async put(place: LogUploadResponse, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const { url, method, headers } = place;
    const timeoutMs = UPLOAD_TIMEOUT_MS;
    try {
      await this.#http.request({ method, url, headers, bytes, timeoutMs, signal });
    } catch (error) {
      const isRefused = error instanceof HttpError && error.status >= 400 && error.status < 500;
      // But 413 (a proxy's limit) and 429 mean what they say.
      if (!isRefused || [413, 429].includes(error.status)) throw error;
      throw new Error(error.message, { cause: error });
    }
  }

  /** The next line expected. */
  async logCommit(job: JobAccess, json: LogCommitRequest, signal: AbortSignal): Promise<number> {
    const timeoutMs = json.body === undefined ? TIMEOUT_MS : UPLOAD_TIMEOUT_MS;
    const answer = await this.#ofJob("POST", job, "log-chunks", json, signal, timeoutMs);
    return check(logCommitResponseSchema, answer, "the answer to log-chunks").next_line;
  }

  async finish(job: JobAccess, json: FinishRequest, signal: AbortSignal): Promise<void> {
    await this.#ofJob("POST", job, "finish", json, signal);
  }

  /** Tells what a console said, and that it is open or over; answered with the byte expected next. */
  async consoleOutput(
    id: string,
    json: RelayOutput,
    signal: AbortSignal,
  ): Promise<RelayOutputReply> {
    const answer = await this.#ofConsole(`${id}/output`, json, 0, signal);
    return check(relayOutputReplySchema, answer, "the answer to a console's output");
  }

  /** What is to be typed at a console from a number on; held back until there is something. */
  async consoleInput(id: string, json: RelayInput, signal: AbortSignal): Promise<RelayInputReply> {
    const answer = await this.#ofConsole(`${id}/input`, json, json.hold_seconds, signal);
    return check(relayInputReplySchema, answer, "the answer to a console's input");
  }

  #ofConsole(
    where: string,
    json: unknown,
    holdSeconds: number,
    signal: AbortSignal,
  ): Promise<unknown> {
    return this.#http.request({
      method: "POST",
      url: `api/v1/worker/consoles/${where}`,
      token: this.#workerToken(),
      json,
      timeoutMs: TIMEOUT_MS + holdSeconds * 1000,
      maxAnswerBytes: MAX_CONSOLE_ANSWER_BYTES,
      signal,
    });
  }

  #ofJob(
    method: "GET" | "POST",
    { id, token }: JobAccess,
    what: string,
    json: unknown,
    signal: AbortSignal,
    timeoutMs = TIMEOUT_MS,
  ): Promise<unknown> {
    const url = `api/v1/jobs/${id}/${what}`;
    return this.#http.request({ method, url, token, json, timeoutMs, signal });
  }
}

/** The calls alone, whoever answers them: a stock LAVA server does too (lava-server/). */
export type ControlPlaneCalls = Pick<ControlPlane, keyof ControlPlane>;

/** What a 409 of log shipping says is the next line, if the error is one. */
export function expectedLine(error: unknown): number | undefined {
  if (!(error instanceof HttpError) || error.status !== 409) return undefined;
  const { next_line: line } = (error.body ?? {}) as { next_line?: unknown };
  return Number.isSafeInteger(line) && (line as number) >= 0 ? (line as number) : undefined;
}
