import type { Item } from "../ports/table.ts";
import { jobChange, type By } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { endJob, settleItsGroup } from "./end-job.ts";
import { groupDue } from "./group-record.ts";
import { jobItem, withNotes, type JobRecord } from "./job-record.ts";
import { without } from "./without.ts";

/**
 * What canceling means in each state (SCHEDULER.md 1.1): a Submitted job ends at once, one that a worker knows of is
 * Canceling until the worker has stopped it, any other stays as it is. With a job of a multinode group go all others of it, unless
 * it is to go `alone`. Throws `TableConflict`.
 */
export async function cancel(
  deps: Deps,
  item: Item<JobRecord>,
  by: By,
  { alone = false } = {},
): Promise<JobRecord> {
  const { data: job, version } = item;
  // One that is Scheduling has a device, but no worker has been told, nor has anybody been charged for it.
  if (job.state === "Submitted" || job.state === "Scheduling") {
    const unbegun = { ...item, data: without(job, "charged") };
    return endJob(deps, unbegun, { health: "Canceled", error_msg: by.reason }, { by, alone });
  }
  if (job.state !== "Scheduled" && job.state !== "Running") return job;
  const notes = by.reason === undefined ? [] : [by.reason];
  const canceling = withNotes({ ...job, state: "Canceling" }, notes);
  await deps.table.transact([
    { put: jobItem(canceling), when: { version } },
    ...jobChange(deps, job, canceling, by),
    ...(alone ? [] : groupDue(deps, canceling)),
  ]);
  await deps.signals.ring(`worker/${job.worker ?? ""}`);
  await deps.signals.ring(`job/${job.id}`);
  if (!alone) await settleItsGroup(deps, job);
  return canceling;
}
