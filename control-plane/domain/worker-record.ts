import type { LabWorker } from "#protocol/lab.ts";
import type { Grants } from "#protocol/people.ts";
import type { WorkerHealth, WorkerState } from "#protocol/states.ts";
import type { UpgradeReport } from "#protocol/worker-api.ts";
import type { Item, NewItem, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { assignmentsKey, workerKey, workerSettingsKey } from "./keys.ts";
import { queryAll } from "./query-all.ts";

/** A worker in the table. */
export interface WorkerRecord {
  name: string;
  state: WorkerState;
  health: WorkerHealth;
  description: string;
  job_limit: number;
  /** Absent: a worker of ours. `stock`: LAVA's own, which asks under `/scheduler/internal/v1` (stock-worker.ts). */
  kind?: "stock";
  version?: string;
  /** Of the worker API, as it said last. */
  protocol?: number;
  /** What its file is made for, when it can upgrade itself; else `by_hand` says why not. */
  platform?: string;
  by_hand?: string;
  /** What it said last of an upgrade. */
  upgrade?: UpgradeReport;
  /** The version that it shall have; the id is that of the offer. */
  pin?: { id: string; version: string };
  last_sync?: string;
  /** Its newest report, and the programs that were before the one which made it. */
  report?: { run: string; number: number; past: readonly string[] };
  /** When it counts as silent unless it is heard of before: its long poll is proof of life while it lasts. */
  silent_after?: string;
  /** Why it can't begin another job for now, as it says itself. */
  no_jobs?: string;
  /** When the tick has to look at it; absent once there is nothing left to be done about its silence. */
  attend_at?: string;
  enrolment?: EnrolmentRecord;
  /** It is asked to make itself another token; those before are good for the overlap. */
  rotation?: { id: string; overlap_seconds: number; user: string; asked: string };
  /** Who may what with it, beside what the lab grants (access.ts). */
  permissions?: Grants;
}

/** A code by which a board may become this worker, once. Of the code only a hash is kept, in the worker's record. */
export interface EnrolmentRecord {
  hash: string;
  /** Who made the code. */
  user: string;
  expires: string;
  /** The token that was registered by it, and when. */
  token_id?: string;
  used?: string;
}

/** The jobs that hold a device of a worker: what it is told by sync, and what counts for its limit. */
export interface Assignments {
  job_ids: number[];
}

/** YAML texts that go with each job to a worker. An item of its own: a worker is written with every sync. */
export type WorkerSettings = Pick<LabWorker, "dispatcher" | "env" | "env_dut">;

/** Empty texts for a worker that has none. */
export async function readWorkerSettings(deps: Deps, name: string): Promise<WorkerSettings> {
  const item = await deps.table.get<WorkerSettings>(workerSettingsKey(name));
  return item?.data ?? { dispatcher: "", env: "", env_dut: "" };
}

export const workerItem = (worker: WorkerRecord): NewItem => ({
  key: workerKey(worker.name),
  data: worker,
  keys: {
    i1: { partition: "workers", sort: worker.name },
    ...(worker.attend_at === undefined
      ? {}
      : { i2: { partition: "attention", sort: `${worker.attend_at}#${worker.name}` } }),
  },
});

/** Throws `not_found`. */
export async function getWorkerItem(deps: Deps, name: string): Promise<Item<WorkerRecord>> {
  const item = await deps.table.get<WorkerRecord>(workerKey(name));
  if (!item) throw noWorker(name);
  return item;
}

/** What is answered of a worker that isn't there, or that whoever asks may not know of. */
export const noWorker = (name: string): AppError =>
  new AppError("not_found", `there is no worker ${JSON.stringify(name)}`);

export const isSchedulable = (worker: WorkerRecord): boolean =>
  worker.state === "Online" && worker.health === "Active" && worker.no_jobs === undefined;

/** Devices that belong to a worker. */
export async function devicesOfWorker(deps: Deps, worker: string): Promise<DeviceRecord[]> {
  const devices: DeviceRecord[] = [];
  for await (const { data } of queryAll<DeviceRecord>(deps, "i4", `worker-devices#${worker}`)) {
    devices.push(data);
  }
  return devices;
}

/** Types of a worker's devices, each once. */
export async function deviceTypesOfWorker(deps: Deps, worker: string): Promise<Set<string>> {
  return new Set((await devicesOfWorker(deps, worker)).map((device) => device.device_type));
}

/** The assignments of a worker and how to write them under the version they were read. */
export async function readAssignments(deps: Deps, worker: string) {
  const item = await deps.table.get<Assignments>(assignmentsKey(worker));
  const jobIds = item?.data.job_ids ?? [];
  const replace = (ids: number[]): Operation => ({
    put: { key: assignmentsKey(worker), data: { job_ids: ids } satisfies Assignments },
    when: item ? { version: item.version } : "absent",
  });
  return { jobIds, replace };
}
