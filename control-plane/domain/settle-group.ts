import type { Item } from "../ports/table.ts";
import { cancel } from "./cancel.ts";
import { LAB } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { expiryOfJob } from "./end-job.ts";
import { findGroup, groupItem, type GroupMember, type GroupRecord } from "./group-record.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { multinodeDueKey, multinodeKey } from "./multinode-keys.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";

/**
 * Does what the states of a group's jobs ask for (MULTINODE.md 4): when one is canceled, by whomever, all others are; when one of an
 * essential role ends Incomplete, too; when all have ended, what they said to each other is forgotten. It looks only at what is in the
 * table, so that whoever looks next ends what a crash has cut short.
 */
export async function settleGroup(deps: Deps, id: string): Promise<void> {
  // Those that are there now: what comes while we look is somebody else's.
  const range = { from: multinodeDueKey(id, "").sort, to: multinodeDueKey(id, "~").sort };
  const due = await deps.table.query("main", multinodeDueKey(id, "").partition, range);
  // Who looks at the same time is in the way only for a moment: each look begins anew.
  await retrying(() => settle(deps, id));
  if (due.items.length === 0) return;
  await retrying(() => deps.table.transact(due.items.map(({ key }) => ({ delete: key }))));
}

async function settle(deps: Deps, id: string): Promise<void> {
  const group = await findGroup(deps, id);
  if (!group || group.data.ended !== undefined) return;
  // Whoever writes its jobs, or gives that up, has it looked at afterwards.
  const phase = group.data.phase?.name;
  if (phase === "forming" || phase === "unmade") return;
  const jobs = await jobsOf(deps, group.data);
  const reason = whyAllEnd(group.data.members, jobs);
  if (reason !== undefined) {
    for (const { data } of jobs.values()) await cancelMember(deps, data, reason);
    // What was kept for the group while it waited is others' now, of whom no end of a job tells.
    const types = new Set([...jobs.values()].map(({ data }) => data.device_type));
    for (const type of types) await deps.signals.requestPass(type);
  }
  const now = reason === undefined ? jobs : await jobsOf(deps, group.data);
  if ([...now.values()].every(({ data }) => data.state === "Finished")) await endGroup(deps, group);
}

/** By id; one that was forgotten already has ended. */
async function jobsOf(
  deps: Deps,
  { members }: GroupRecord,
): Promise<ReadonlyMap<number, Item<JobRecord>>> {
  const items = await Promise.all(members.map(({ job_id }) => findJobItem(deps, job_id)));
  return new Map(items.flatMap((item) => (item ? [[item.data.id, item]] : [])));
}

function whyAllEnd(
  members: readonly GroupMember[],
  jobs: ReadonlyMap<number, Item<JobRecord>>,
): string | undefined {
  for (const { job_id, sub_id, role, essential } of members) {
    const { state, health } = jobs.get(job_id)?.data ?? {};
    const which = `job ${job_id} (${sub_id}, role ${role}) of the same group`;
    if (state === "Canceling" || health === "Canceled") return `${which} was canceled`;
    if (essential && health === "Incomplete")
      return `${which}, which is essential, ended Incomplete`;
  }
  return undefined;
}

async function cancelMember(deps: Deps, { id, state }: JobRecord, reason: string): Promise<void> {
  if (state === "Finished" || state === "Canceling") return;
  await retrying(async () => {
    const item = await findJobItem(deps, id);
    if (item) await cancel(deps, item, { who: LAB, reason }, { alone: true });
  });
}

/** Its record is kept as long as its jobs; their tokens are dead, so that nobody says anything more. */
async function endGroup(deps: Deps, { data, version, key }: Item<GroupRecord>): Promise<void> {
  const { partition } = multinodeKey(data.id);
  for (;;) {
    const page = await deps.table.query("main", partition, { limit: 100 });
    const parts = page.items.filter(({ key: { sort } }) => sort !== key.sort);
    if (parts.length === 0) break;
    await deps.table.transact(parts.map((part) => ({ delete: part.key })));
  }
  const { expires } = expiryOfJob(deps);
  const ended = new Date(deps.system.now()).toISOString();
  const put = groupItem({ ...without(data, "phase"), ended }, expires);
  await retrying(async () => {
    const now = await findGroup(deps, data.id);
    if (now?.version === version) await deps.table.transact([{ put, when: { version } }]);
  });
}
