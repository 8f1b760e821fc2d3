import { logLimits } from "../host/bounded-log.ts";
import { memoryLimit, type MemoryLimit } from "../host/memory-limit.ts";
import { megabytesOf } from "../host/megabytes.ts";

/** How much this worker may take of its machine (docs/worker-faults.md). */
export interface AgentLimits {
  /** Of a job's log on the disk: delivered parts of it are removed above this. */
  readonly keepBytes: number;
  /** With less room on the work folder's disk they are removed too, and no new jobs are begun. */
  readonly minFreeBytes: number;
  /** Of the agent and its runners together; undefined: as much as they like. */
  readonly memory?: MemoryLimit | undefined;
}

const DEFAULT_MIN_FREE_MB = 200;

/** As this worker has them set. */
export const agentLimits = (env: NodeJS.ProcessEnv = process.env): AgentLimits => ({
  keepBytes: logLimits(env).spoolBytes / 2,
  minFreeBytes: (megabytesOf(env["PUMICE_MIN_FREE_MB"]) ?? DEFAULT_MIN_FREE_MB) * 1_000_000,
  memory: memoryLimit(env),
});
