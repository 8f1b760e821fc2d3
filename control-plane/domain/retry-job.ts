import type { Item } from "../ports/table.ts";
import { jobChange, LAB } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { announceFree, endedBy, endJob, freeDevice, noteEnd, type Outcome } from "./end-job.ts";
import { attemptItem, attemptOf, jobItem, type JobRecord } from "./job-record.ts";
import { expiryOfParts } from "./log-chunks.ts";
import { without } from "./without.ts";

/** Attempts that a job has at most, with `retry_on`. */
const MOST_ATTEMPTS = 2;

/**
 * Ends what ran, under the version that was read: the job as `endJob` does, or its attempt only. A job with `retry_on:
 * infrastructure` whose first attempt the lab has spoilt goes back to the queue, under its id and with its place there; what the
 * attempt was stays as an item of its own, its log and results stay where they are. Throws `TableConflict`.
 */
export async function endAttempt(
  deps: Deps,
  item: Item<JobRecord>,
  outcome: Outcome,
  { holdDevice = false } = {},
): Promise<void> {
  const { data: job, version } = item;
  const { device, worker } = job;
  if (!mayRetry(job, outcome) || device === undefined || worker === undefined) {
    await endJob(deps, item, outcome, { holdDevice });
    return;
  }
  const attempt = attemptOf(job);
  // Its token is dead from now on, whatever its worker still has to say; the attempt keeps it, to be told from a wrong one.
  const untold = without(job, "left", "failed_on", "queue_seconds");
  const over: JobRecord = { ...endedBy(deps, untold, outcome), attempt, retried: true };
  const next: JobRecord = {
    ...without(
      without(job, "token_nonce", "token_hash", "device", "worker", "start_time", "notes"),
      "quota_slots",
      "charged",
      "result_counts",
    ),
    state: "Submitted",
    health: "Unknown",
    attempt: attempt + 1,
    log_lines: 0,
    failed_on: device,
    left: holdDevice ? { worker, device } : { worker },
    ...queueDeadline(deps, job),
  };
  const freed = holdDevice
    ? { operations: [] }
    : await freeDevice(deps, over, { keepAssigned: true });
  await deps.table.transact([
    { put: jobItem(next), when: { version } },
    ...jobChange(deps, job, next, { who: LAB, reason: outcome.error_msg }),
    { put: { ...attemptItem(over), ...expiryOfParts(deps) }, when: "absent" },
    ...freed.operations,
  ]);
  await noteEnd(deps, over);
  const { id, error_type } = over;
  deps.system.log("job goes back to the queue", { job: id, attempt, error_type, device });
  await deps.signals.ring(`job/${id}`);
  // It has a runner to forget.
  await deps.signals.ring(`worker/${worker}`);
  await announceFree(deps, freed);
  await deps.signals.requestPass(job.device_type);
}

/** The worker of the attempt before has no runner of it any more: it may be given the job again. Throws `TableConflict`. */
export async function leaveWorker(deps: Deps, { data, version }: Item<JobRecord>): Promise<void> {
  const { id, left, device_type } = data;
  if (!left) return;
  const end = { health: "Incomplete", error_type: "Infrastructure" } as const;
  const { visibility = "public", viewing_groups = [] } = data;
  // What had the device was the attempt before.
  const was = { attempt: attemptOf(data) - 1, retried: true, visibility, viewing_groups } as const;
  const freed = await freeDevice(deps, { id, ...left, ...end, ...was });
  await deps.table.transact([
    { put: jobItem(without(data, "left")), when: { version } },
    ...freed.operations,
  ]);
  await announceFree(deps, freed);
  await deps.signals.requestPass(device_type);
}

/** Not one that ended already, nor one that somebody wants no more. */
const mayRetry = (job: JobRecord, { health, error_type }: Outcome): boolean =>
  job.retry_on === "infrastructure" &&
  attemptOf(job) < MOST_ATTEMPTS &&
  health === "Incomplete" &&
  error_type === "Infrastructure" &&
  job.state !== "Finished" &&
  job.state !== "Canceling";

/** It may wait as long again as it wanted to wait at first. */
function queueDeadline({ system }: Deps, { queue_seconds }: JobRecord): Partial<JobRecord> {
  if (queue_seconds === undefined) return {};
  return { queue_deadline: new Date(system.now() + queue_seconds * 1000).toISOString() };
}
