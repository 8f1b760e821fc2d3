import type { Deps } from "./deps.ts";
import type { JobRecord } from "./job-record.ts";
import { queryFirst } from "./query-all.ts";

/** The jobs that wait for a device of a type, the one that shall have the next device first (SCHEDULER.md 2.2). */
export async function* waitingJobs(deps: Deps, deviceType: string): AsyncGenerator<JobRecord> {
  for await (const { data } of queryFirst<JobRecord>(deps, "i2", `queue#${deviceType}`)) yield data;
}
