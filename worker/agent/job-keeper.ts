import { existsSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { RunnerReport } from "#protocol/worker-api.ts";
import type { JobDirectory } from "../host/job-directory.ts";
import { removeTree } from "../host/remove-tree.ts";
import { isClaimed } from "../host/runner-claim.ts";
import { hasResult } from "../host/runner-result.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { Backoff } from "./backoff.ts";
import { Bell } from "./bell.ts";
import { cleanUpAfter } from "./clean-up.ts";
import { completeLog, cutHalfRecord, type Ending } from "./complete-log.ts";
import { finishJob, finishRequest } from "./finish.ts";
import { watchJob, type JobWatch } from "./job-watch.ts";
import { LogShipper } from "./log-shipper.ts";
import { RunnerProcess } from "./runner-process.ts";

/** A job as its folder's ticket describes it to the agent. */
export interface KeptJob {
  readonly id: number;
  readonly token: string;
  readonly dir: JobDirectory;
  /** What the control plane calls the first line of the folder's log. */
  readonly firstLine: number;
  /** How to switch its device off; undefined when its ticket was lost. */
  readonly device?: string | undefined;
  readonly hostname?: string | undefined;
  /** What it was reckoned to take of memory, in bytes. */
  readonly needBytes: number;
}

/** Sees one job through: runner, log, finish, and at last nothing of it is left on this machine. */
export class JobKeeper {
  readonly #deps: AgentDeps;
  readonly #job: KeptJob;
  readonly #runner: RunnerProcess;
  readonly #shipper: LogShipper;
  readonly #retry = new Bell();
  readonly #onFree: () => void;
  /** Aborted when the control plane wants nothing more of the job, or the agent stops. */
  #delivery = new AbortController();
  #state: RunnerReport["state"] = "running";
  /** What a dead runner left on was switched off; once, however often the disk is tried. */
  #cleanedUp: { readonly problem: string | undefined } | undefined;
  #diskError: string | undefined;
  #isForgotten = false;
  /** Its runner may be started. */
  mayBegin = false;
  #isDelivered = false;
  #isWatched = false;
  #watch: JobWatch | undefined;
  /** A person may come to its console. */
  #hasDesk = false;

  /** `isNew`: the ticket was written just now. `onFree`: told when the device is not used any more. */
  constructor(deps: AgentDeps, job: KeptJob, isNew: boolean, onFree: () => void) {
    this.#deps = deps;
    this.#onFree = onFree;
    this.#job = job;
    this.#runner = new RunnerProcess(deps, job.dir);
    this.#shipper = new LogShipper(deps, { ...job, file: job.dir.log }, isNew, this.#retry);
    if (hasResult(job.dir.result)) this.#state = "finished";
  }

  get report(): RunnerReport {
    const isPaused = this.#state === "running" && existsSync(this.#job.dir.console);
    const waits = isPaused ? { waits_for_person: true as const } : {};
    return { job_id: this.#job.id, state: this.#state, ...waits };
  }

  /** Whether the job has a ticket and nothing more: whether it may start is the control plane's to say. */
  get isUnclaimed(): boolean {
    return this.#state === "running" && !isClaimed(this.#job.dir.runner);
  }

  /** Whether it has to be asked if its runner may be started. */
  get isWaiting(): boolean {
    const { isCanceled, isKilled } = this.#runner;
    return this.isUnclaimed && !this.mayBegin && !isCanceled && !isKilled;
  }

  /** What it was reckoned to take of memory, in bytes. */
  get needBytes(): number {
    return this.#job.needBytes;
  }

  /** Its runner, while it lives. */
  get runnerPid(): number | undefined {
    return this.#state === "running" ? this.#runner.pid : undefined;
  }

  /** Whether it takes memory, or is about to. */
  get hasBegun(): boolean {
    return this.#state === "running" && (this.mayBegin || !this.isUnclaimed);
  }

  /** Whether `kill` was called. */
  get isKilled(): boolean {
    return this.#runner.isKilled;
  }

  /** Ends the runner at once, or lets none begin; the job ends as the lab's fault, for this reason. */
  kill(reason: string): void {
    this.#deps.log(`job ${this.#job.id}: ${reason}`);
    this.#runner.kill(reason);
  }

  /** Whether the job may still use the device. One without a device (a guest of another job's) holds none. */
  holds(hostname: string): boolean {
    return hostname !== "" && this.#state === "running" && this.#job.hostname === hostname;
  }

  /**
   * Whether the control plane knows the job's end from us, and so that nothing of it is left here. One that wants it to be
   * forgotten waits to hear that it is: it may send the job again.
   */
  get isDelivered(): boolean {
    return this.#isDelivered && !this.#isForgotten;
  }

  set isWatched(watched: boolean) {
    this.#isWatched = watched;
    this.#shipper.isWatched = watched;
    this.#watch?.follow(watched);
  }

  /** The control plane answers again. */
  retryNow(): void {
    this.#retry.ring();
  }

  cancel(): void {
    if (this.#state === "running" && !this.#runner.isCanceled) {
      this.#deps.log(`job ${this.#job.id}: canceling`);
    }
    this.#runner.cancel();
  }

  /** Stops the runner and removes the folder without delivering anything more. */
  forget(): void {
    this.#isForgotten = true;
    this.#runner.cancel();
    this.#endDelivery();
  }

  /**
   * Returns when the job is delivered or forgotten, its folder gone; or when `signal` is aborted. Throws
   * what the disk throws; it may be called again then.
   */
  async keep(signal: AbortSignal): Promise<void> {
    if (!this.#isForgotten) this.#delivery = new AbortController();
    signal.addEventListener("abort", this.#endDelivery);
    const watch = watchJob(this.#job.dir, this.isUnclaimed, {
      told: this.#told,
      grown: this.#shipper.poke,
    });
    watch.follow(this.#isWatched);
    this.#watch = watch;
    const shipped = this.#shipper.run(this.#delivery.signal);
    try {
      await this.#untilEnded(signal);
      if (!signal.aborted && !this.#isForgotten) await this.#deliver(shipped);
      await shipped;
      if (!signal.aborted) await this.#remove();
    } finally {
      this.#watch = undefined;
      watch.close();
      signal.removeEventListener("abort", this.#endDelivery);
      this.#endDelivery();
      // Its files are closed before it may be begun again.
      await shipped.catch(() => {});
    }
  }

  readonly #told = (): void => {
    this.#runner.poke();
    this.#shipper.look();
    const hasDesk = existsSync(this.#job.dir.console);
    if (hasDesk !== this.#hasDesk) this.#deps.changed();
    this.#hasDesk = hasDesk;
  };

  readonly #endDelivery = (): void => {
    this.#delivery.abort();
    this.#retry.ring();
  };

  async #untilEnded(signal: AbortSignal): Promise<void> {
    const { dir, id } = this.#job;
    if (this.#state === "running") {
      const { isCanceled, isKilled } = this.#runner;
      if (this.isUnclaimed && !isCanceled && !isKilled) this.#runner.start();
      await this.#runner.hasResultOrDied(signal);
      if (signal.aborted) return;
    }
    if (hasResult(dir.result)) {
      this.#shipper.end();
      await this.#runner.sweep();
    } else {
      await this.#afterDeath(signal);
      if (signal.aborted) return;
      this.#shipper.end();
    }
    if (this.#state === "running") this.#deps.log(`job ${id}: its runner has ended`);
    this.#state = "finished";
    this.#onFree();
    // A job that ended by itself is reported by its finish; of one that was stopped we may have nothing to deliver.
    if (this.#runner.isCanceled) this.#deps.changed();
  }

  /**
   * Ends what a runner left on that has no result, then its log. The device is off before the control plane hears of the
   * end, and gives it to another job.
   */
  async #afterDeath(signal: AbortSignal): Promise<void> {
    const { dir, id } = this.#job;
    await this.#runner.sweep();
    this.#cleanedUp ??= await this.#cleanUp(signal);
    if (signal.aborted) return;
    const { problem } = this.#cleanedUp;
    await removeTree(dir.scratch).catch(() => {});
    if (this.#isForgotten) return;
    const ending = this.#ending();
    const message = problem ? `${ending.message}; ${problem}` : ending.message;
    this.#deps.log(`job ${id}: ${message}`);
    completeLog(dir, this.#deps.clock.wall(), { ...ending, message });
  }

  #ending(): Ending {
    if (this.#runner.isCanceled) return { errorType: "Canceled", message: "the job was canceled" };
    // Which ends runners, too, and leaves them no word of it.
    if (this.#diskError !== undefined) {
      const message = `the worker's disk can't be written to, or read: ${this.#diskError}`;
      return { errorType: "Infrastructure", message };
    }
    return this.#runner.explainDeath();
  }

  async #cleanUp(signal: AbortSignal): Promise<{ problem: string | undefined }> {
    const { dir, device } = this.#job;
    if (this.#hasEnd() || this.isUnclaimed) return { problem: undefined };
    if (device === undefined) {
      return { problem: "nothing is known of its device, which may still be on" };
    }
    const problem = await cleanUpAfter(this.#deps, dir, signal);
    if (!signal.aborted) await this.#runner.sweep();
    return { problem };
  }

  /** Whether the log has its end, the last thing that a runner says before its result. A disk that can't be written to must keep no device on. */
  #hasEnd(): boolean {
    const { dir, id } = this.#job;
    try {
      rmSync(dir.reserve, { force: true });
      return cutHalfRecord(dir);
    } catch (error) {
      this.#diskError = (error as Error).message;
      this.#deps.log(`job ${id}: its log can't be ended yet: ${this.#diskError}`);
      return false;
    }
  }

  async #deliver(firstRun: Promise<number | undefined>): Promise<void> {
    const { signal } = this.#delivery;
    const backoff = new Backoff(this.#deps.clock);
    for (let lines = await firstRun; lines !== undefined;) {
      const request = finishRequest(this.#job.dir.result, lines);
      if (await finishJob(this.#deps, this.#job, request, this.#retry, signal)) {
        this.#isDelivered = true;
        this.#deps.log(`job ${this.#job.id}: finished (${request.result}), ${lines} lines shipped`);
        return;
      }
      if (signal.aborted) return;
      await this.#retry.wait(this.#deps.clock, backoff.next(undefined));
      this.#shipper.locateAgain();
      lines = await this.#shipper.run(signal);
    }
  }

  /** The ticket goes first: what is left of a folder without one is rubbish to the next agent. */
  async #remove(): Promise<void> {
    const { dir, id } = this.#job;
    try {
      await rm(dir.ticket, { force: true });
      await removeTree(dir.root);
    } catch (error) {
      this.#deps.log(`job ${id}: its folder cannot be removed: ${String(error)}`);
    }
  }
}
