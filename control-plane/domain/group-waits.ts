import type { Deps } from "./deps.ts";
import { findGroup } from "./group-record.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";

/** Why the job of a multinode group waits: what each job of the group waits for, as they all begin at once. */
export async function whyGroupWaits(
  deps: Deps,
  { id, group = "" }: JobRecord,
  whyOne: (job: JobRecord) => Promise<string | undefined>,
): Promise<string> {
  const members = (await findGroup(deps, group))?.data.members ?? [];
  const parts: string[] = [];
  for (const { job_id, role, host_job } of members) {
    const job = host_job === undefined ? (await findJobItem(deps, job_id))?.data : undefined;
    const why = job && (await whyOne(job));
    if (why !== undefined) parts.push(`job ${job_id} (${role}): ${why}`);
  }
  const others = members.flatMap(({ job_id }) => (job_id === id ? [] : [job_id]));
  const together = others.length === 0 ? [] : [`it begins together with ${others.join(", ")}`];
  return [...together, ...parts].join("; ");
}
