import type { QueueWait } from "#protocol/worker-api.ts";
import { HttpError } from "../host/http-client.ts";
import { Backoff } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { ControlPlane } from "./control-plane.ts";

/** A queue holds an answer back no longer than this, whatever the grant says. */
const LONGEST_HOLD_SECONDS = 60;
/** A sign of life is due at least this often, whatever the grant says. */
const LONGEST_WAIT_SECONDS = 3600;
/** Taken off the url's life: the grant was on its way to us when its time began. */
const LONGEST_MARGIN_SECONDS = 30;
/** Between requests to a queue that doesn't hold its answers back. */
const GAP_MS = 1000;
/** So many waits in a row that came to nothing, and the queue is taken for unreachable. */
const MAX_STRIKES = 4;
/** Messages remembered: far more than a queue keeps for us. */
const MAX_HEARD = 1000;
const FIRST_RETRY_MS = 15 * 60_000;
const LONGEST_RETRY_MS = 4 * 3600_000;

export interface QueueWaiterDeps {
  readonly controlPlane: Pick<ControlPlane, "askQueue">;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

/**
 * Waits at the worker's own queue for a reason to sync, so that nothing of the control plane has to run
 * meanwhile. The queue is a doorbell: nothing of a message is read but which one it is, for rings may be lost,
 * doubled or forged, and only the answer of a sync says what there is to do.
 */
export class QueueWaiter {
  readonly #deps: QueueWaiterDeps;
  readonly #backoff: Backoff;
  #strikes = 0;
  #retryMs = FIRST_RETRY_MS;
  /** Set while the queue is not used, since it didn't work. */
  #pause: { since: number; ms: number } | undefined;
  #lastReason: string | undefined;
  /** Messages that have rung, oldest first. */
  readonly #heard = new Set<string>();

  constructor(deps: QueueWaiterDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff(deps.clock);
  }

  /** Whether to ask for a queue: false for a while after it was refused. */
  get isUsable(): boolean {
    if (!this.#pause) return true;
    return this.#deps.clock.now() - this.#pause.since >= this.#pause.ms;
  }

  /**
   * Returns when it is time to sync: the queue has a message, `sync_seconds`, `longestMs` or the url's life
   * are (nearly) over, `signal` is aborted, or the queue failed, so that a ring may have been lost. Never throws.
   */
  async wait(grant: QueueWait, longestMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const ms = Math.min(longestMs, this.#longestWait(grant));
    const deadline = clock.now() + ms;
    const due = new AbortController();
    const ended = AbortSignal.any([signal, due.signal]);
    void clock.sleep(ms, ended).then(() => due.abort());
    try {
      while (!ended.aborted && clock.now() < deadline) {
        if (await this.#hasRung(grant, ended)) return;
      }
    } catch (error) {
      if (!ended.aborted) await this.#failed(error, signal);
    } finally {
      due.abort();
    }
  }

  /** Milliseconds. Earlier by chance, so that workers that began together don't stay together. */
  #longestWait({ sync_seconds, expires_seconds }: QueueWait): number {
    const untilSync = sync_seconds * (1 - 0.1 * this.#deps.clock.random());
    const life = expires_seconds - Math.min(LONGEST_MARGIN_SECONDS, expires_seconds / 10);
    return Math.max(0, Math.min(untilSync, life, LONGEST_WAIT_SECONDS)) * 1000;
  }

  async #hasRung({ url, hold_seconds }: QueueWait, signal: AbortSignal): Promise<boolean> {
    const { clock, controlPlane } = this.#deps;
    const holdMs = Math.min(Math.max(0, hold_seconds), LONGEST_HOLD_SECONDS) * 1000;
    const asked = clock.now();
    const text = await controlPlane.askQueue(url, holdMs, signal);
    const hasMessage = text.includes("<Message>");
    if (hasMessage && this.#isNew(text)) {
      this.#works();
      return true;
    }
    const took = clock.now() - asked;
    if (!hasMessage && took < holdMs / 2) {
      // Not a queue's way: a portal in between, perhaps, that says 200 to everything.
      if (++this.#strikes >= MAX_STRIKES)
        throw new Error("it answers too early, without a message");
    } else {
      this.#works();
    }
    await clock.sleep(Math.max(0, GAP_MS - took), signal);
    return false;
  }

  /** We have no right to remove a message, so the queue brings it again until it forgets it: it rings once. */
  #isNew(text: string): boolean {
    const ids = [...text.matchAll(/<MessageId>([^<]{1,100})</g)].map(([, id = ""]) => id);
    const fresh = ids.filter((id) => !this.#heard.has(id));
    for (const id of fresh) this.#heard.add(id);
    for (const id of this.#heard) {
      if (this.#heard.size <= MAX_HEARD) break;
      this.#heard.delete(id);
    }
    return fresh.length > 0 || ids.length === 0;
  }

  #works(): void {
    if (this.#lastReason !== undefined) this.#deps.log("waits at its queue again");
    this.#lastReason = undefined;
    this.#strikes = 0;
    this.#retryMs = FIRST_RETRY_MS;
    this.#pause = undefined;
    this.#backoff.reset();
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const isBroken = error instanceof HttpError && error.status === 0;
    if (isBroken && ++this.#strikes < MAX_STRIKES) {
      // The network may be gone: neither the queue nor the control plane is to be hammered.
      await clock.sleep(this.#backoff.next(error), signal);
      return;
    }
    this.#strikes = 0;
    const ms = this.#retryMs * (1 - 0.25 * clock.random());
    this.#pause = { since: clock.now(), ms };
    this.#retryMs = Math.min(LONGEST_RETRY_MS, this.#retryMs * 2);
    const reason = error instanceof Error ? error.message : String(error);
    if (reason === this.#lastReason) return;
    this.#lastReason = reason;
    const minutes = Math.round(ms / 60_000);
    this.#deps.log(
      `cannot wait at its queue, waits at the control plane and tries the queue again in ${minutes} min: ${reason}`,
    );
  }
}
