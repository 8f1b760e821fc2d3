import { accessSync, constants, statfsSync } from "node:fs";
import type { AgentDeps } from "./agent-deps.ts";
import type { JobKeeper } from "./job-keeper.ts";
import {
  megabytes,
  memoryUse,
  mostBeyond,
  RUNNER_BYTES,
  tooLarge,
  type MemoryUse,
} from "./memory-budget.ts";

/** Between two looks at disk and memory. */
const LOOK_MS = 2000;

/** A job that has a ticket and no room yet. */
interface Waiting {
  readonly id: number;
  readonly needBytes: number;
}

/**
 * Watches what the machine has left: says why no other job can begin, and ends a job when all together take more memory
 * than they may.
 */
export class Readiness {
  readonly #deps: AgentDeps;
  readonly #jobs: ReadonlyMap<number, JobKeeper>;
  #told: string | undefined;
  #isRung = false;
  /** First in the queue for memory: nobody begins before it, or small jobs would keep a large one out for ever. */
  #waiting: Waiting | undefined;

  constructor(deps: AgentDeps, jobs: ReadonlyMap<number, JobKeeper>) {
    this.#deps = deps;
    this.#jobs = jobs;
  }

  /** Why no other job can begin here now; undefined when one can. */
  get reason(): string | undefined {
    return diskReason(this.#deps) ?? this.#memoryReason(this.#use());
  }

  /** Somebody was put off for want of memory that is there now. */
  get hasRoomAgain(): boolean {
    return this.#waiting !== undefined && this.reason === undefined;
  }

  /** `reason`, for the control plane. */
  tell(): string | undefined {
    const { reason } = this;
    this.#isRung = false;
    if (isSame(reason, this.#told)) return (this.#told = reason);
    const { log } = this.#deps;
    log(reason === undefined ? "new jobs are taken again" : `no new jobs are taken: ${reason}`);
    return (this.#told = reason);
  }

  /** Hears the answer to what was told: `held` are the jobs that it keeps back for that. */
  answered(held: readonly number[] | undefined): void {
    const id = this.#waiting?.id;
    if (id === undefined) return;
    // Its ticket is in the answer, or nobody wants it to begin any more: of one that an agent before has taken we hear otherwise.
    const isGone = held?.includes(id) === false && !this.#jobs.has(id);
    if (this.#told === undefined || isGone) this.#waiting = undefined;
  }

  /** Why a job can never begin here; undefined when it can. */
  refusal(needBytes: number): string | undefined {
    const { memory } = this.#deps.limits;
    return memory && tooLarge(memory, needBytes);
  }

  /** Whether a job finds the memory that it needs. One that doesn't is the next to begin. */
  hasMemoryFor(id: number, needBytes: number): boolean {
    this.#waiting = { id, needBytes };
    const reason = this.#memoryReason(this.#use());
    if (reason === undefined) this.#waiting = undefined;
    return reason === undefined;
  }

  /** Looks again and again until `signal` is aborted. The control plane is told at once of what has changed. */
  async watch(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const use = this.#use();
      this.#boundMemory(use);
      this.look(use);
      await clock.sleep(LOOK_MS, signal);
    }
  }

  /** Looks now, because a job has ended. */
  look(use = this.#use()): void {
    const reason = diskReason(this.#deps) ?? this.#memoryReason(use);
    const isNews = !isSame(reason, this.#told);
    // Once, until it is told: what takes long to begin is not to be begun again and again.
    if (isNews && !this.#isRung) this.#deps.changed();
    this.#isRung ||= isNews;
  }

  #memoryReason(use: MemoryUse | undefined): string | undefined {
    const { memory } = this.#deps.limits;
    if (!memory || !use) return undefined;
    const { jobs, claimedBytes } = use;
    const { id, needBytes = RUNNER_BYTES } = this.#waiting ?? {};
    // The need of a job without a guest is only reckoned: alone it may begin.
    if (jobs.length === 0 && needBytes <= RUNNER_BYTES) return undefined;
    if (claimedBytes + needBytes <= memory.bytes) return undefined;
    const who = id === undefined ? "another job" : `job ${id}`;
    const left = megabytes(Math.max(0, memory.bytes - claimedBytes));
    const until =
      jobs.length === 0
        ? "none running: something else takes it"
        : `${jobs.length} running: it waits for one of them to end`;
    return (
      `${who} may need ${megabytes(needBytes)} of memory, and ${left} are left of the ${megabytes(memory.bytes)} that it may take by ` +
      `${memory.from}, ${until}`
    );
  }

  /** Undefined where no limit is, and so where nobody needs to know; a look at all processes, unless no job runs. */
  #use(): MemoryUse | undefined {
    const { memory } = this.#deps.limits;
    if (!memory) return undefined;
    const begun = [...this.#jobs.values()]
      .filter((keeper) => keeper.hasBegun)
      .map(({ report: { job_id: id }, needBytes, runnerPid }) => ({ id, needBytes, runnerPid }));
    return memoryUse(memory, begun);
  }

  #boundMemory(use: MemoryUse | undefined): void {
    const { memory } = this.#deps.limits;
    if (!memory || !use) return;
    const withMemory = use.jobs.filter(({ takenBytes }) => takenBytes > 0);
    const largest = mostBeyond(withMemory);
    // What takes it when no job does can't be ended here.
    if (use.takenBytes <= memory.bytes || !largest) return;
    // What else is in the group takes it then: the kernel may have to end somebody, at a tenth more.
    if (memory.group !== undefined && largest.takenBytes <= largest.needBytes) return;
    // What the last one had is given back first.
    if (withMemory.some(({ id }) => this.#jobs.get(id)?.isKilled)) return;
    const { id, takenBytes, needBytes } = largest;
    this.#jobs
      .get(id)
      ?.kill(
        `the runner took ${megabytes(takenBytes)} of memory with what it has started, was reckoned to take ${megabytes(needBytes)}, and ` +
          `agent and jobs together took ${megabytes(use.takenBytes)}: they may take ${megabytes(memory.bytes)} by ${memory.from}`,
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
