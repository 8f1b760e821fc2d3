import { accessSync, constants, statfsSync } from "node:fs";
import { memoryOf } from "../host/process-table.ts";
import type { AgentDeps } from "./agent-deps.ts";
import type { JobKeeper } from "./job-keeper.ts";

/** Between two looks at disk and memory. */
const LOOK_MS = 2000;
/** What agent and runner take, of memory that is no file's, when nothing special happens (docs/figures.md). */
const AGENT_BYTES = 40_000_000;
const RUNNER_BYTES = 60_000_000;

/**
 * Watches what the machine has left: says why no other job can begin, and ends the job whose runner takes most when all
 * together take more memory than they may.
 */
export class Readiness {
  readonly #deps: AgentDeps;
  readonly #jobs: ReadonlyMap<number, JobKeeper>;
  #told: string | undefined;
  #isRung = false;

  constructor(deps: AgentDeps, jobs: ReadonlyMap<number, JobKeeper>) {
    this.#deps = deps;
    this.#jobs = jobs;
  }

  /** Why no other job can begin here now; undefined when one can. */
  get reason(): string | undefined {
    return diskReason(this.#deps) ?? this.#memoryReason();
  }

  /** `reason`, for the control plane. */
  tell(): string | undefined {
    const { reason } = this;
    this.#isRung = false;
    if (isSame(reason, this.#told)) return reason;
    const { log } = this.#deps;
    log(reason === undefined ? "new jobs are taken again" : `no new jobs are taken: ${reason}`);
    return (this.#told = reason);
  }

  /** Looks again and again until `signal` is aborted. The control plane is told at once of what has changed. */
  async watch(signal: AbortSignal): Promise<void> {
    const { clock, changed } = this.#deps;
    while (!signal.aborted) {
      this.#boundMemory();
      const isNews = !isSame(this.reason, this.#told);
      // Once, until it is told: what takes long to begin is not to be begun again and again.
      if (isNews && !this.#isRung) changed();
      this.#isRung ||= isNews;
      await clock.sleep(LOOK_MS, signal);
    }
  }

  #memoryReason(): string | undefined {
    const { memory } = this.#deps.limits;
    if (!memory) return undefined;
    const most = Math.max(1, Math.floor((memory.bytes - AGENT_BYTES) / RUNNER_BYTES));
    const running = [...this.#jobs.values()].filter(({ report }) => report.state === "running");
    if (running.length < most) return undefined;
    return `the ${megabytes(memory.bytes)} of memory that it may take by ${memory.from} are enough for ${most} at a time`;
  }

  #boundMemory(): void {
    const { memory } = this.#deps.limits;
    if (!memory) return;
    const runners = [...this.#jobs.values()].map((keeper) => ({
      keeper,
      bytes: keeper.memoryBytes,
    }));
    const own = memoryOf(process.pid);
    const total = runners.reduce((sum, { bytes }) => sum + bytes, own);
    const [largest] = runners.toSorted((a, b) => b.bytes - a.bytes);
    // Whatever takes it then, it is no job.
    if (total <= memory.bytes || !largest || largest.bytes === 0) return;
    largest.keeper.kill(
      `the runner took ${megabytes(largest.bytes)} of memory, and agent and runners together ${megabytes(total)}: they may take ` +
        `${megabytes(memory.bytes)} by ${memory.from}`,
    );
  }
}

/** Of texts with figures in them only whether there is one is news. */
const isSame = (one: string | undefined, other: string | undefined): boolean =>
  (one === undefined) === (other === undefined);

function diskReason({ workDir, limits }: AgentDeps): string | undefined {
  let free: number;
  try {
    // A worn-out card becomes read-only, and has all its room.
    accessSync(workDir, constants.W_OK);
    const { bavail, bsize } = statfsSync(workDir);
    free = bavail * bsize;
  } catch (error) {
    return `its work folder can't be used: ${(error as Error).message}`;
  }
  if (free >= limits.minFreeBytes) return undefined;
  return `disk full at ${workDir}: ${megabytes(free)} are free there, a job begins with ${megabytes(limits.minFreeBytes)} (PUMICE_MIN_FREE_MB): free space or give it a larger disk`;
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1_000_000)} MB`;
