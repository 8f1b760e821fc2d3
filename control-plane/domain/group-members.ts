import type { MemberView } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { findGroup } from "./group-record.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import type { Principal } from "./principal.ts";
import { sightOf } from "./visible.ts";

/** The jobs of a job's multinode group that somebody may see, in the order of their sub ids; none for a job of no group. */
export async function groupMembers(
  deps: Deps,
  principal: Principal,
  { group }: JobRecord,
): Promise<MemberView[]> {
  const found = group === undefined ? undefined : await findGroup(deps, group);
  if (!found) return [];
  const sight = await sightOf(deps, principal);
  const members: MemberView[] = [];
  for (const { job_id: id, sub_id, role, essential, host_job } of found.data.members) {
    const job = (await findJobItem(deps, id))?.data;
    if (!job || !(await sight.job(job))) continue;
    const { state, health, device } = job;
    members.push({
      ...{ id, sub_id, role, essential, state, health },
      ...(device === undefined ? {} : { device }),
      ...(host_job === undefined ? {} : { host_job }),
    });
  }
  return members;
}
