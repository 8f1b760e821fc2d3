import { TableConflict, type Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { endJob, expiryOfJob } from "./end-job.ts";
import { findGroup, groupItem, lookAtGroup, type GroupRecord } from "./group-record.ts";
import { howManyFit, PHASE_MS } from "./in-parts.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";

/** How often slots of a quota are taken anew while others of the same person take them, too. */
const MOST_ATTEMPTS = 50;

/**
 * Writes the jobs of a group that is too large for one transaction, some at a time; no pass begins the group before the last write.
 * Whoever dies meanwhile leaves jobs that the tick cancels: the submitter had no answer. `write` says what is to be written of some
 * jobs, as of now. Throws as `enqueue` does; then the jobs that were written are canceled.
 */
export async function formGroup(
  deps: Deps,
  jobs: readonly JobRecord[],
  operations: readonly Operation[],
  write: (jobs: readonly JobRecord[]) => Promise<Operation[][]>,
): Promise<void> {
  const group = operations.map(groupIn).find((one) => one !== undefined);
  if (!group) throw new Error("jobs of no group are written at once");
  const rest = operations.filter((one) => !groupIn(one));
  const until = new Date(deps.system.now() + PHASE_MS).toISOString();
  const forming: GroupRecord = { ...group, phase: { name: "forming", until } };
  await deps.table.transact([{ put: groupItem(forming), when: "absent" }]);
  // Of an id that nobody else draws.
  const when = { version: 1 };
  const isForming: Operation = { check: groupItem(group).key, when };
  try {
    let attempts = 0;
    for (let done = 0; done < jobs.length;) {
      const lists = await write(jobs.slice(done));
      const count = howManyFit(lists, 1);
      try {
        await deps.table.transact([...lists.slice(0, count).flat(), isForming]);
        done += count;
      } catch (error) {
        if (!(error instanceof TableConflict) || ++attempts === MOST_ATTEMPTS) throw error;
        if ((await findGroup(deps, group.id))?.version !== 1) throw tooSlow();
      }
    }
    // One of its jobs may have been canceled meanwhile.
    const look = lookAtGroup(deps.system, group.id);
    await deps.table.transact([{ put: groupItem(group), when }, look, ...rest]);
  } catch (error) {
    await unmakeGroup(deps, group.id);
    throw error;
  }
}

/** Gives up a group whose jobs have not all been written: those that were are canceled. */
export async function unmakeGroup(deps: Deps, id: string): Promise<void> {
  const isUnmade = await retrying(async () => {
    const group = await findGroup(deps, id);
    const phase = group?.data.phase?.name;
    if (!group || (phase !== "forming" && phase !== "unmade")) return false;
    const until = new Date(deps.system.now()).toISOString();
    const put = groupItem({ ...group.data, phase: { name: "unmade", until } });
    // From now on whoever was writing its jobs is stopped.
    if (phase === "forming") await deps.table.transact([{ put, when: group }]);
    return true;
  });
  if (!isUnmade) return;
  const members = (await findGroup(deps, id))?.data.members ?? [];
  const error_msg = "the submission of the job's group was cut short: submit it again";
  for (const { job_id } of members) {
    await retrying(async () => {
      const job = await findJobItem(deps, job_id);
      if (!job || job.data.state === "Finished") return;
      await endJob(deps, job, { health: "Canceled", error_msg }, { alone: true });
    });
  }
  await retrying(async () => {
    const group = await findGroup(deps, id);
    if (group?.data.phase?.name !== "unmade") return;
    const ended = new Date(deps.system.now()).toISOString();
    const { expires } = expiryOfJob(deps);
    const put = groupItem({ ...without(group.data, "phase"), ended }, expires);
    await deps.table.transact([{ put, when: group }]);
  });
}

const groupIn = (one: Operation): GroupRecord | undefined =>
  "put" in one && "members" in one.put.data ? (one.put.data as GroupRecord) : undefined;

const tooSlow = (): AppError =>
  new AppError("unavailable", "the submission took too long and was given up; submit it again");
