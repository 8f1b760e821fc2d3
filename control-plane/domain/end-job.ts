import type { ErrorType } from "#protocol/failure.ts";
import type { JobHealth } from "#protocol/states.ts";
import type { Item, Operation } from "../ports/table.ts";
import { deviceChange, jobChange, LAB, type By } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { noteDuration } from "./durations.ts";
import { settleCharge } from "./fair-share.ts";
import { groupDue } from "./group-record.ts";
import { healthAfter, withMark } from "./health-rules.ts";
import { jobItem, type JobRecord } from "./job-record.ts";
import { deviceKey, workerKey } from "./keys.ts";
import { announceSlots } from "./quotas.ts";
import { withRecent } from "./recent-jobs.ts";
import { withBegunReservation } from "./reservation-record.ts";
import { deviceTypesOfWorker, readAssignments, type WorkerRecord } from "./worker-record.ts";
import { without } from "./without.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export interface Outcome {
  health: JobHealth;
  error_type?: ErrorType | undefined;
  error_msg?: string | undefined;
  ending?: Ending;
  /** No worker has told it: the lab has given up waiting. */
  isAssumed?: boolean;
}

interface Ways {
  /** Keeps the device, for a worker that may still be using it. */
  holdDevice?: boolean;
  by?: By;
  /** Whoever ends it sees to the others of its group. */
  alone?: boolean;
}

/** How a job ended, beside LAVA's words. */
export type Ending = Pick<JobRecord, "evidence" | "retries" | "passed_on_retry">;

/**
 * Ends a job under the version that was read: the job is Finished and its device is set free in one
 * transaction. What that means for the others of its multinode group is done as well. Throws `TableConflict`.
 */
export async function endJob(
  deps: Deps,
  item: Item<JobRecord>,
  outcome: Outcome,
  { holdDevice = false, by = { who: LAB }, alone = false }: Ways = {},
): Promise<JobRecord> {
  const job: JobRecord = {
    ...endedBy(deps, item.data, outcome),
    ...expiryOfJob(deps),
    ...(holdDevice ? { taken_back: true } : {}),
  };
  const { isAssumed } = outcome;
  const freed = holdDevice ? { operations: [] } : await freeDevice(deps, job, { isAssumed });
  await deps.table.transact([
    { put: jobItem(job), when: { version: item.version } },
    ...jobChange(deps, item.data, job, { reason: outcome.error_msg, ...by }),
    ...freed.operations,
    ...(alone ? [] : groupDue(deps, job)),
  ]);
  if (item.data.state !== "Finished") await noteEnd(deps, job);
  const { id, health, error_type, device } = job;
  // The alarms of infra/template.yaml count these.
  deps.system.log("job finished", { job: id, health, error_type, device });
  await deps.signals.ring(`job/${job.id}`);
  await announceFree(deps, freed);
  if (!alone) await settleItsGroup(deps, job);
  return job;
}

/** Loaded when there is a group; one that a crash keeps us from settling, the tick comes to. */
export async function settleItsGroup(deps: Deps, { group }: JobRecord): Promise<void> {
  if (group === undefined) return;
  const { settleGroup } = await import("./settle-group.ts");
  await settleGroup(deps, group);
}

/** What is kept beside the jobs: quotas that have a place again, how long they took and how much somebody has used. */
export async function noteEnd(deps: Deps, job: JobRecord): Promise<void> {
  await announceSlots(deps, job);
  await settleCharge(deps, job);
  await noteDuration(deps, job);
}

/** The job, or an attempt of it, as it is at its end. */
export function endedBy(
  { system }: Deps,
  job: JobRecord,
  { health, error_type, error_msg, ending = {} }: Outcome,
): JobRecord {
  const now = new Date(system.now()).toISOString();
  const before = without(
    job,
    "taken_back",
    "error_type",
    "error_msg",
    "evidence",
    "retries",
    "passed_on_retry",
  );
  return {
    ...before,
    state: "Finished",
    health,
    start_time: before.start_time ?? now,
    end_time: now,
    ...(error_type === undefined ? {} : { error_type }),
    ...(error_msg === undefined ? {} : { error_msg }),
    ...ending,
  };
}

/** When a job that ends now is forgotten. */
export function expiryOfJob({ system, settings }: Deps): { expires?: string } {
  if (settings.retentionDays === 0) return {};
  return { expires: new Date(system.now() + settings.retentionDays * DAY_MS).toISOString() };
}

/** Gives back the device of a job that was taken back, now that its worker is known to have left it. */
export async function returnDevice(deps: Deps, item: Item<JobRecord>): Promise<void> {
  const job = without(item.data, "taken_back");
  const freed = await freeDevice(deps, job, { isAssumed: true });
  await deps.table.transact([
    { put: jobItem(job), when: { version: item.version } },
    ...freed.operations,
  ]);
  await announceFree(deps, freed);
}

/** What is told of a job whose device is set free. */
type Freeing = Pick<JobRecord, "id" | "health"> &
  Partial<
    Pick<JobRecord, "device" | "worker" | "health_check" | "error_type"> &
      Pick<JobRecord, "attempt" | "retried" | "visibility" | "viewing_groups">
  >;

/**
 * What must be written so that the job's device is Idle, with the health that it has after the job
 * (SCHEDULER.md 1.2), and that the worker has the job no more, unless it is to keep it. Nothing when the job has no
 * device (any more).
 */
export async function freeDevice(
  deps: Deps,
  job: Freeing,
  {
    keepAssigned = false,
    isAssumed,
  }: { keepAssigned?: boolean; isAssumed?: boolean | undefined } = {},
): Promise<Freed & { operations: Operation[] }> {
  const { worker } = job;
  if (worker === undefined) return { operations: [] };
  const operations: Operation[] = [];
  const { jobIds, replace } = await readAssignments(deps, worker);
  if (jobIds.includes(job.id) && !keepAssigned) {
    operations.push(replace(jobIds.filter((id) => id !== job.id)));
  }
  if (job.device === undefined) return { operations, worker };
  const item = await deps.table.get<DeviceRecord>(deviceKey(job.device));
  if (item?.data.current_job !== job.id) return { operations, worker };
  const now = deps.system.now();
  const rest = without(item.data, "current_job");
  const recent = withRecent(rest.recent, job);
  const freed: DeviceRecord = {
    ...rest,
    ...(recent === undefined ? {} : { recent }),
    state: "Idle",
    health: healthAfter(rest.health, { ...job, isAssumed }),
    idle_since: new Date(now).toISOString(),
    ...(job.health_check && !isAssumed ? { last_health_report_job: job.id } : {}),
  };
  const begun = await withBegunReservation(deps, withMark(item.data, freed, now));
  const { device } = begun;
  const what = job.health_check ? `health check, job ${job.id}` : `job ${job.id}`;
  const reason = `${what}${job.error_type === undefined ? "" : `: ${job.error_type}`}`;
  operations.push(
    { put: deviceItem(device), when: { version: item.version } },
    ...deviceChange(deps, item.data, device, { who: LAB, reason }),
    ...begun.operations,
  );
  return { operations, device, worker: device.worker };
}

/** What a job leaves free: its device, and a place on its worker, which a guest without a device had as well. */
export interface Freed {
  device?: DeviceRecord;
  worker?: string;
}

/** Where the worker's job limit counts, a free place is one for its devices of every type. */
export async function announceFree(deps: Deps, { device, worker: name }: Freed): Promise<void> {
  if (device) await deps.signals.requestPass(device.device_type);
  const worker =
    name === undefined ? undefined : await deps.table.get<WorkerRecord>(workerKey(name));
  if (!worker || worker.data.job_limit === 0) return;
  for (const type of await deviceTypesOfWorker(deps, worker.data.name)) {
    await deps.signals.requestPass(type);
  }
}
