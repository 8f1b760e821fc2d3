import { randomUUID } from "node:crypto";
import { VERSION } from "#protocol/version.ts";
import {
  WORKER_PROTOCOL,
  type RunnerReport,
  type SyncRequest,
  type SyncResponse,
} from "#protocol/worker-api.ts";
import { Backoff, isRefusal } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { ControlPlane } from "./control-plane.ts";
import { QueueWaiter } from "./queue-waiter.ts";
import type { Upgrader } from "./upgrader.ts";

/**
 * How long an answer may be held back; below the 60 s after which many proxies cut a connection. As long is
 * waited elsewhere while something that an answer asked for is still to be done.
 */
const WAIT_SECONDS = 50;
/** Requests that changed nothing, in a row, come no faster than this, but for the first few. */
const GAP_MS = 1000;
const MAX_QUICK = 3;
/** What ends within this time of another change is told in one request. */
const COLLECT_MS = 50;

export interface SyncLoopDeps {
  readonly controlPlane: Pick<ControlPlane, "sync" | "askQueue">;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** What is said of the runners; asked anew for every request. */
  readonly reports: () => RunnerReport[];
  /** Why no other job can begin here now; undefined when one can. */
  readonly noJobs?: () => string | undefined;
  /** Whether to be answered at once, be it what we have heard before. */
  readonly asksAnew?: () => boolean;
  readonly apply: (answer: SyncResponse) => void;
  /** Called when the control plane answers again after it didn't. */
  readonly restored: () => void;
  /** Called before the next attempt when our token was refused: it may have been replaced. */
  readonly refreshToken: () => void;
  /** Called when our token was good. */
  readonly accepted?: () => void;
  /** Called while we are asked for another token; never throws. */
  readonly rotate?: (id: string, signal: AbortSignal) => Promise<void>;
  /** Asked for each request, and told of its answer or failure. */
  readonly upgrader?: Pick<Upgrader, "question" | "isUrgent" | "answered" | "failed">;
}

/** The agent's only loop with the control plane: asks, does what it is told, waits, asks again. */
export class SyncLoop {
  /** A request, or the wait between two. */
  #request: AbortController | undefined;
  readonly #run = randomUUID();
  #asked = 0;
  #quick = 0;
  #seen: string | undefined;
  #lastError: string | undefined;
  #notice: string | undefined;

  /** The reports have changed: the request that waits, or the wait, is given up for one that says so. */
  changed = (): void => this.#request?.abort();

  /** Runs until `signal` is aborted; never throws. */
  async run(deps: SyncLoopDeps, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(deps.clock);
    const queue = new QueueWaiter(deps);
    const stop = (): void => this.#request?.abort();
    signal.addEventListener("abort", stop);
    while (!signal.aborted) {
      this.#request = new AbortController();
      const current = this.#request.signal;
      try {
        await this.#round(deps, queue, current);
        backoff.reset();
      } catch (error) {
        if (!current.aborted) {
          deps.upgrader?.failed(error);
          this.#failed(deps, error);
          await this.#pause(deps, backoff.next(error), signal);
          if (isRefusal(error)) deps.refreshToken();
        }
      }
      if (current.aborted) {
        this.#quick = 0;
        await deps.clock.sleep(COLLECT_MS, signal);
      }
    }
    signal.removeEventListener("abort", stop);
  }

  /** A clock that was wrong fails certificates: once it is set, there is no reason to wait. */
  async #pause({ clock, log }: SyncLoopDeps, ms: number, signal: AbortSignal): Promise<void> {
    const set = new AbortController();
    const stop = clock.onSet(() => {
      log("this machine's clock was set, trying at once");
      set.abort();
    });
    await clock.sleep(ms, AbortSignal.any([signal, set.signal]));
    stop();
  }

  /** One request and the wait before the next, which `changed` ends. */
  async #round(deps: SyncLoopDeps, queue: QueueWaiter, current: AbortSignal): Promise<void> {
    const began = deps.clock.now();
    const question = this.#question(deps, queue.isUsable);
    const answer = await deps.controlPlane.sync(question, current);
    deps.accepted?.();
    this.#answered(deps);
    this.#seen = answer.seen;
    this.#say(deps, answer);
    deps.apply(answer);
    deps.upgrader?.answered(answer.upgrade);
    if (answer.rotate !== undefined) await deps.rotate?.(answer.rotate, current);
    const told = new Set(question.runners.map(({ job_id }) => job_id));
    // A job that has just begun is told of at once.
    const hasNews = deps.reports().some(({ job_id }) => !told.has(job_id));
    if (!hasNews && !deps.upgrader?.isUrgent && question.waits && answer.wait) {
      await queue.wait(answer.wait, longestWaitMs(answer), current);
    }
    const took = deps.clock.now() - began;
    this.#quick = hasNews || took >= GAP_MS ? 0 : this.#quick + 1;
    if (this.#quick > MAX_QUICK) await deps.clock.sleep(GAP_MS - Math.max(0, took), current);
  }

  #question(deps: SyncLoopDeps, canWaitAtQueue: boolean): SyncRequest {
    const noJobs = deps.noJobs?.();
    const isAnew = deps.upgrader?.isUrgent || deps.asksAnew?.();
    return {
      protocol: WORKER_PROTOCOL,
      version: VERSION,
      runners: deps.reports(),
      wait_seconds: WAIT_SECONDS,
      report: { run: this.#run, number: ++this.#asked },
      ...(canWaitAtQueue ? { waits: ["queue"] } : {}),
      ...deps.upgrader?.question(),
      ...(noJobs === undefined ? {} : { no_jobs: noJobs.slice(0, 500) }),
      ...(this.#seen === undefined || isAnew ? {} : { seen: this.#seen }),
    };
  }

  /** Says once why we get no jobs. */
  #say({ log }: SyncLoopDeps, { notice }: SyncResponse): void {
    if (notice !== undefined && notice !== this.#notice) log(`this worker ${notice}`);
    this.#notice = notice;
  }

  #answered({ log, restored }: SyncLoopDeps): void {
    if (this.#seen === undefined) log("connected to the control plane");
    if (this.#lastError === undefined) return;
    if (this.#seen !== undefined) log("the control plane answers again");
    this.#lastError = undefined;
    restored();
  }

  /** Says each kind of failure once, not at every attempt. */
  #failed({ log }: SyncLoopDeps, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const message = isRefusal(error)
      ? `the control plane refuses this worker's token; put a valid one into its file, running jobs go on: ${reason}`
      : `the control plane does not answer, trying on: ${reason}`;
    // What this machine's clock says is another thing each time.
    const kind = message.replace(/\d{4}-\d\d-\d\dT[\d:]+Z/g, "");
    if (kind !== this.#lastError) log(message);
    this.#lastError = kind;
  }
}

/** Until everything is done that was asked for, and while a log is shipped line by line, there is more to hear soon. */
function longestWaitMs({ start, lost, cancel, forget, watched }: SyncResponse): number {
  const isBusy = [start, lost, cancel, forget, watched].some((list) => list.length > 0);
  return isBusy ? WAIT_SECONDS * 1000 : Infinity;
}
