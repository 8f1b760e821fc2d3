import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync, truncateSync } from "node:fs";
import { watchKiller } from "../host/killer.ts";
import type { JobDirectory } from "../host/job-directory.ts";
import {
  findDescendants,
  identityOf,
  isAlive,
  killNow,
  signalProcess,
  type ProcessIdentity,
} from "../host/process-table.ts";
import { isLost, readRunner } from "../host/runner-claim.ts";
import { STILL_MS, watchBeat } from "../host/runner-beat.ts";
import { hasResult } from "../host/runner-result.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { Bell } from "./bell.ts";
import type { Ending } from "./complete-log.ts";
import { explainDeath } from "./runner-death.ts";

/** Names the job's folder in the environment of its runner and of all that the runner starts. */
export const JOB_VARIABLE = "PUMICE_JOB_DIR";
const CHECK_MS = 1000;
const REMIND_AFTER_MS = 60_000;
const KILL_AFTER_MS = 120_000;
/** Between a runner's result and its end: it has nothing left to do. */
const LEAVE_MS = 5000;
const NO_TRACE = "the worker has no trace of this job: its files are gone";
const STOOD_STILL = `the runner did nothing for ${STILL_MS / 60_000} minutes and was ended: a pattern of the job that looks around or back, such as (?=...) or \\1, may search for ever; write it without`;
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** The runner of one job: started here or by an agent before, it outlives us either way. */
export class RunnerProcess {
  readonly #deps: AgentDeps;
  readonly #dir: JobDirectory;
  readonly #bell = new Bell();
  #child: ChildProcess | undefined;
  #spawned: ProcessIdentity | undefined;
  #claimed: ProcessIdentity | undefined;
  #startError: Error | undefined;
  #cancelAsked: number | undefined;
  #reminded = false;
  #killedFor: string | undefined;
  /** Of a runner of an agent before nobody has watched from the beginning. */
  #killer: (() => string) | undefined;

  constructor(deps: AgentDeps, dir: JobDirectory) {
    this.#deps = deps;
    this.#dir = dir;
  }

  /** Something changed in the job's folder. */
  poke = this.#bell.ring;

  /** Undefined when it doesn't live. */
  get pid(): number | undefined {
    const identity = this.#identity();
    return identity && isAlive(identity) ? identity.pid : undefined;
  }

  /** Ends the runner at once, for a reason that its job's end will tell. */
  kill(reason: string): void {
    this.#killedFor ??= reason;
    const identity = this.#identity();
    if (identity) signalProcess(identity, "SIGKILL");
  }

  get isKilled(): boolean {
    return this.#killedFor !== undefined;
  }

  get isCanceled(): boolean {
    return this.#cancelAsked !== undefined;
  }

  /** Starts the runner as a process of a session of its own. A failure to do so is an early death. */
  start(): void {
    const [command, ...args] = this.#deps.runnerCommand(this.#dir.root);
    const output = openSync(this.#dir.output, "a", 0o600);
    this.#killer = watchKiller();
    try {
      const child = spawn(command, args, {
        detached: true,
        cwd: this.#dir.root,
        env: { ...process.env, [JOB_VARIABLE]: this.#dir.root },
        stdio: ["ignore", output, output],
      });
      child.on("error", (error) => this.#failed(error));
      child.on("exit", this.#bell.ring);
      child.unref();
      this.#child = child;
      if (child.pid !== undefined) this.#spawned = identityOf(child.pid);
    } catch (error) {
      this.#failed(error as Error);
    } finally {
      closeSync(output);
    }
  }

  /** SIGTERM now, again after a minute, SIGKILL to all of it after two. Asking again changes nothing. */
  cancel(): void {
    if (this.#cancelAsked !== undefined) return;
    this.#cancelAsked = this.#deps.clock.now();
    this.#terminate();
  }

  /** Waits until there is a result or no runner any more, or `signal` is aborted. */
  async hasResultOrDied(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", this.#bell.ring);
    const isStill = watchBeat(this.#dir.beat, () => this.#deps.clock.now());
    while (!signal.aborted && !hasResult(this.#dir.result) && this.#isRunning()) {
      this.#escalate();
      if (!this.isKilled && isStill()) this.kill(STOOD_STILL);
      this.#boundOutput();
      await this.#bell.wait(this.#deps.clock, CHECK_MS);
    }
    signal.removeEventListener("abort", this.#bell.ring);
  }

  /** Lets the runner leave, then kills whatever it left behind; nothing of the job runs afterwards. */
  async sweep(): Promise<void> {
    const { clock } = this.#deps;
    const latest = clock.now() + LEAVE_MS;
    while (this.#isRunning() && clock.now() < latest) await this.#bell.wait(clock, 20);
    for (let round = 0; round < 100; round++) {
      const left = this.#descendants();
      const killed = left.filter(killNow);
      if (killed.length === 0) return;
      await clock.sleep(10);
    }
    this.#deps.log(
      `processes of ${this.#dir.root} cannot be killed: ${this.#descendants().join()}`,
    );
  }

  /** Why there is no result. */
  explainDeath(): Ending {
    const { exitCode, signalCode: signal } = this.#child ?? {};
    const startError = this.#startError;
    const runner = readRunner(this.#dir.runner);
    const stoppedFor = isLost(this.#dir.runner) ? NO_TRACE : this.#killedFor;
    const printed = this.#lastOutput();
    const killer = this.#killer?.();
    return explainDeath({ startError, stoppedFor, exitCode, signal, runner, printed, killer });
  }

  #failed(error: Error): void {
    this.#startError = error;
    this.#bell.ring();
  }

  /** The process that claimed the job; before there is one, the one that was started to. */
  #identity(): ProcessIdentity | undefined {
    this.#claimed ??= readRunner(this.#dir.runner);
    return this.#claimed ?? this.#spawned;
  }

  /** Our own child until its exit was announced: how it ended is known then. */
  #isRunning(): boolean {
    const child = this.#child;
    const isOver = this.#startError ?? child?.exitCode ?? child?.signalCode;
    if (child && (isOver === undefined || isOver === null)) return true;
    const identity = this.#identity();
    return identity !== undefined && isAlive(identity);
  }

  #terminate(): void {
    const identity = this.#identity();
    if (identity) signalProcess(identity, "SIGTERM");
  }

  #escalate(): void {
    if (this.#cancelAsked === undefined) return;
    const asked = this.#deps.clock.now() - this.#cancelAsked;
    if (asked >= REMIND_AFTER_MS && !this.#reminded) {
      this.#reminded = true;
      this.#terminate();
    }
    if (asked >= KILL_AFTER_MS) for (const pid of this.#descendants()) killNow(pid);
  }

  #descendants(): number[] {
    return findDescendants(JOB_VARIABLE, this.#dir.root, this.#identity());
  }

  #boundOutput(): void {
    const size = statSync(this.#dir.output, { throwIfNoEntry: false })?.size ?? 0;
    if (size > MAX_OUTPUT_BYTES) truncateSync(this.#dir.output);
  }

  #lastOutput(): string {
    try {
      return readFileSync(this.#dir.output, "utf8").trim().slice(-2000);
    } catch {
      return "";
    }
  }
}
