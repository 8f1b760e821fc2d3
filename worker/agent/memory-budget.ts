import { groupMemory } from "../host/memory-group.ts";
import type { MemoryLimit } from "../host/memory-limit.ts";
import { memoryOf, memoryOfTrees } from "../host/process-table.ts";

/** What the agent takes, of memory that is no file's, when nothing special happens (docs/figures.md). */
export const AGENT_BYTES = 40_000_000;
/** The same of a runner, with the small programs that it starts. */
export const RUNNER_BYTES = 60_000_000;

/** A job that has begun and hasn't ended. */
export interface JobInMemory {
  readonly id: number;
  /** What it was reckoned to take at the most, in bytes. */
  readonly needBytes: number;
  /** Its runner; undefined where it has none (yet). */
  readonly runnerPid: number | undefined;
}

export interface JobMemory extends JobInMemory {
  /** What its runner and all that it has started take now, in bytes. */
  readonly takenBytes: number;
}

export interface MemoryUse {
  readonly jobs: readonly JobMemory[];
  /** Of all that the limit is for, in bytes. */
  readonly takenBytes: number;
  /** The same, and what agent and jobs may still take of what they were reckoned to. */
  readonly claimedBytes: number;
}

/**
 * What is taken of a limit: by a control group's own count, which has others in it too, else by agent and jobs. A look at
 * each process of the machine, so not to be asked too often.
 */
export function memoryUse(limit: MemoryLimit, jobs: readonly JobInMemory[]): MemoryUse {
  const own = memoryOf(process.pid);
  const trees = memoryOfTrees(jobs.map(({ runnerPid }) => runnerPid ?? -1));
  const withMemory = jobs.map((job, index) => ({ ...job, takenBytes: trees[index] ?? 0 }));
  const grouped = limit.group === undefined ? undefined : groupMemory(limit.group);
  return { jobs: withMemory, ...reckon(own, withMemory, grouped) };
}

/** The sums of `memoryUse`, of what was measured. */
export function reckon(
  ownBytes: number,
  jobs: readonly Pick<JobMemory, "needBytes" | "takenBytes">[],
  groupBytes: number | undefined,
): Pick<MemoryUse, "takenBytes" | "claimedBytes"> {
  const takenBytes = groupBytes ?? jobs.reduce((sum, job) => sum + job.takenBytes, ownBytes);
  const still = jobs.map(({ needBytes, takenBytes: taken }) => Math.max(0, needBytes - taken));
  const claimedBytes = still.reduce(
    (sum, bytes) => sum + bytes,
    takenBytes + Math.max(0, AGENT_BYTES - ownBytes),
  );
  return { takenBytes, claimedBytes };
}

/** Which job to end when they take too much: the one furthest beyond what it was reckoned to take, of equals the newest. */
export const mostBeyond = (jobs: readonly JobMemory[]): JobMemory | undefined =>
  jobs.toSorted(
    (a, b) => b.takenBytes - b.needBytes - (a.takenBytes - a.needBytes) || b.id - a.id,
  )[0];

/**
 * Why a job can never begin here, however long it waits; undefined when it can. What a job without a guest takes is only
 * reckoned: it may always try, alone.
 */
export function tooLarge(limit: MemoryLimit, needBytes: number): string | undefined {
  if (needBytes <= RUNNER_BYTES || AGENT_BYTES + needBytes <= limit.bytes) return undefined;
  const guest = needBytes - RUNNER_BYTES;
  return (
    `the job's guest may take ${megabytes(guest)} of memory (-m of its QEMU), ${megabytes(AGENT_BYTES + needBytes)} with runner and agent, and this worker ` +
    `may take ${megabytes(limit.bytes)} by ${limit.from}: give the guest less, the worker more, or the device another worker`
  );
}

export const megabytes = (bytes: number): string => `${Math.round(bytes / 1_000_000)} MB`;
