import { HttpError } from "../host/http-client.ts";
import type { Clock } from "./clock.ts";

const FIRST_MS = 250;
const LONGEST_MS = 30_000;
/** No server puts us off for longer: it may have meant another client. */
const LONGEST_RETRY_AFTER_MS = 300_000;

/** Delays between attempts: doubling up to 30 s, with jitter, and never before the server's Retry-After. */
export class Backoff {
  #failures = 0;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds to wait after one more failure. */
  next(error: unknown): number {
    const whole = isRefusal(error)
      ? LONGEST_MS
      : Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#failures++, 20));
    const asked = error instanceof HttpError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const jittered = whole / 2 + (whole / 2) * this.#clock.random();
    return Math.max(jittered, Math.min(asked, LONGEST_RETRY_AFTER_MS));
  }

  reset(): void {
    this.#failures = 0;
  }
}

/**
 * Whether the far side knows us and says no: asking again soon helps nobody, but a person may change
 * its mind. Not 404 and 410 (of one job, not of us) and not 400 (of one request).
 */
export const isRefusal = (error: unknown): boolean =>
  error instanceof HttpError && (error.status === 401 || error.status === 403);

/** Whether sync knows more: the job may have ended without us, and its token with it. */
export const isAboutJob = (error: unknown): boolean =>
  isRefusal(error) || (error instanceof HttpError && [404, 410].includes(error.status));
