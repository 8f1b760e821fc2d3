import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import { padded } from "../keys.ts";
import { queryAll } from "../query-all.ts";
import type { NoticedJob } from "./notice-record.ts";

/** So many jobs of the submitter are looked at for it. */
const MAX_JOBS_SEEN = 300;

/** The last job before this one of the same name, device type and submitter that ended Complete or Incomplete. */
export async function previousJob(deps: Deps, job: NoticedJob): Promise<JobRecord | undefined> {
  for await (const other of jobsBefore(deps, `submitter-jobs#${job.submitter}`, "i4", job.id)) {
    const isSame = other.description === job.description && other.device_type === job.device_type;
    const hasEnded = other.health === "Complete" || other.health === "Incomplete";
    if (isSame && hasEnded && other.state === "Finished") return other;
  }
  return undefined;
}

/** Jobs of a list before this one, newest first; the first few hundred. */
export async function* jobsBefore(
  deps: Deps,
  partition: string,
  index: "i1" | "i4",
  id: number,
): AsyncGenerator<JobRecord> {
  let seen = 0;
  const range = { to: padded(id - 1), reverse: true, limit: 50 };
  for await (const { data } of queryAll<JobRecord>(deps, index, partition, range)) {
    if (seen++ === MAX_JOBS_SEEN) return;
    yield data;
  }
}
