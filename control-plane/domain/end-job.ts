import { isLabFault, type ErrorType } from "#protocol/failure.ts";
import type { JobHealth } from "#protocol/states.ts";
import type { Item, Operation } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { jobItem, type JobRecord } from "./job-record.ts";
import { deviceKey, workerKey } from "./keys.ts";
import { deviceTypesOfWorker, readAssignments, type WorkerRecord } from "./worker-record.ts";
import { without } from "./without.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export interface Outcome {
  health: JobHealth;
  error_type?: ErrorType | undefined;
  error_msg?: string | undefined;
}

/**
 * Ends a job under the version that was read: the job is Finished and its device is set free in one
 * transaction. `holdDevice` keeps the device, for a worker that may still be using it. Throws `TableConflict`.
 */
export async function endJob(
  deps: Deps,
  item: Item<JobRecord>,
  outcome: Outcome,
  { holdDevice = false } = {},
): Promise<JobRecord> {
  const now = new Date(deps.system.now()).toISOString();
  const before = without(item.data, "taken_back", "error_type", "error_msg");
  const job: JobRecord = {
    ...before,
    state: "Finished",
    health: outcome.health,
    start_time: before.start_time ?? now,
    end_time: now,
    ...expiryOfJob(deps),
    ...(outcome.error_type === undefined ? {} : { error_type: outcome.error_type }),
    ...(outcome.error_msg === undefined ? {} : { error_msg: outcome.error_msg }),
    ...(holdDevice ? { taken_back: true } : {}),
  };
  const freed = holdDevice ? { operations: [] } : await freeDevice(deps, job);
  await deps.table.transact([
    { put: jobItem(job), when: { version: item.version } },
    ...freed.operations,
  ]);
  const { id, health, error_type, device } = job;
  // The alarms of infra/template.yaml count these.
  deps.system.log("job finished", { job: id, health, error_type, device });
  await deps.signals.ring(`job/${job.id}`);
  await announceFree(deps, freed.device);
  return job;
}

/** When a job that ends now is forgotten. */
export function expiryOfJob({ system, settings }: Deps): { expires?: string } {
  if (settings.retentionDays === 0) return {};
  return { expires: new Date(system.now() + settings.retentionDays * DAY_MS).toISOString() };
}

/** Gives back the device of a job that was taken back, now that its worker is known to have left it. */
export async function returnDevice(deps: Deps, item: Item<JobRecord>): Promise<void> {
  const job = without(item.data, "taken_back");
  const freed = await freeDevice(deps, job);
  await deps.table.transact([
    { put: jobItem(job), when: { version: item.version } },
    ...freed.operations,
  ]);
  await announceFree(deps, freed.device);
}

/**
 * What must be written so that the job's device is Idle; its health becomes Unknown when the lab was at fault
 * (SCHEDULER.md 1.2). Nothing when the job has no device (any more).
 */
async function freeDevice(
  deps: Deps,
  job: JobRecord,
): Promise<{ operations: Operation[]; device?: DeviceRecord }> {
  if (job.device === undefined || job.worker === undefined) return { operations: [] };
  const operations: Operation[] = [];
  const { jobIds, replace } = await readAssignments(deps, job.worker);
  if (jobIds.includes(job.id)) operations.push(replace(jobIds.filter((id) => id !== job.id)));
  const item = await deps.table.get<DeviceRecord>(deviceKey(job.device));
  if (item?.data.current_job !== job.id) return { operations };
  const rest = without(item.data, "current_job");
  const device: DeviceRecord = {
    ...rest,
    state: "Idle",
    health: isLabFault(job.error_type) ? "Unknown" : rest.health,
    idle_since: new Date(deps.system.now()).toISOString(),
  };
  operations.push({ put: deviceItem(device), when: { version: item.version } });
  return { operations, device };
}

/** Where the worker's job limit counts, a free place is one for its devices of every type. */
async function announceFree(deps: Deps, device: DeviceRecord | undefined): Promise<void> {
  if (!device) return;
  await deps.signals.requestPass(device.device_type);
  const worker = await deps.table.get<WorkerRecord>(workerKey(device.worker));
  if (!worker || worker.data.job_limit === 0) return;
  for (const type of await deviceTypesOfWorker(deps, device.worker)) {
    await deps.signals.requestPass(type);
  }
}
