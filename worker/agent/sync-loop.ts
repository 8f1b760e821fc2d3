import { VERSION } from "#protocol/version.ts";
import { WORKER_PROTOCOL, type RunnerReport, type SyncResponse } from "#protocol/worker-api.ts";
import { Backoff, isRefusal } from "./backoff.ts";
import type { Clock } from "./clock.ts";
import type { ControlPlane } from "./control-plane.ts";

/** How long an answer may be held back; below the 60 s after which many proxies cut a connection. */
const WAIT_SECONDS = 50;

export interface SyncLoopDeps {
  readonly controlPlane: Pick<ControlPlane, "sync">;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** What is said of the runners; asked anew for every request. */
  readonly reports: () => RunnerReport[];
  readonly apply: (answer: SyncResponse) => void;
  /** Called when the control plane answers again after it didn't. */
  readonly restored: () => void;
  /** Called before the next attempt when our token was refused: it may have been replaced. */
  readonly refreshToken: () => void;
}

/** The agent's only loop with the control plane: asks, does what it is told, asks again. */
export class SyncLoop {
  #request: AbortController | undefined;
  #seen: string | undefined;
  #lastError: string | undefined;

  /** The reports have changed: the request that waits is given up for one that says so. */
  changed = (): void => this.#request?.abort();

  /** Runs until `signal` is aborted; never throws. */
  async run(deps: SyncLoopDeps, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(deps.clock);
    const stop = (): void => this.#request?.abort();
    signal.addEventListener("abort", stop);
    while (!signal.aborted) {
      this.#request = new AbortController();
      const current = this.#request.signal;
      try {
        const answer = await deps.controlPlane.sync(this.#question(deps), current);
        this.#answered(deps);
        backoff.reset();
        this.#seen = answer.seen;
        deps.apply(answer);
      } catch (error) {
        if (current.aborted) continue;
        this.#failed(deps, error);
        await deps.clock.sleep(backoff.next(error), signal);
        if (isRefusal(error)) deps.refreshToken();
      }
    }
    signal.removeEventListener("abort", stop);
  }

  #question(deps: SyncLoopDeps) {
    return {
      protocol: WORKER_PROTOCOL,
      version: VERSION,
      runners: deps.reports(),
      wait_seconds: WAIT_SECONDS,
      ...(this.#seen === undefined ? {} : { seen: this.#seen }),
    };
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
    if (message !== this.#lastError) log(message);
    this.#lastError = message;
  }
}
