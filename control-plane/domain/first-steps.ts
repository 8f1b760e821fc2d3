import type { WorkerState } from "#protocol/states.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** How far an empty lab has come on its way to be one. */
export interface FirstSteps {
  /** The first worker by name, one that is Online before others. */
  worker?: { name: string; state: WorkerState };
  device?: string;
}

/** Labs that have had a job: one never goes back to its first steps. By their tables, for as long as the process runs. */
const begun = new WeakSet<object>();
const SEEN_WORKERS = 20;

/** Undefined for a lab that has had a job; else how far it is. A read or three, and none once a job was seen. */
export async function firstSteps({ table }: Deps): Promise<FirstSteps | undefined> {
  if (begun.has(table)) return undefined;
  const [jobs, workers, devices] = await Promise.all([
    table.query("i1", "jobs", { limit: 1 }),
    table.query<WorkerRecord>("i1", "workers", { limit: SEEN_WORKERS }),
    table.query<DeviceRecord>("i1", "devices", { limit: 1 }),
  ]);
  if (jobs.items.length > 0) {
    begun.add(table);
    return undefined;
  }
  const all = workers.items.map(({ data }) => data);
  const worker = all.find(({ state }) => state === "Online") ?? all[0];
  const device = devices.items[0]?.data.hostname;
  return {
    ...(worker ? { worker: { name: worker.name, state: worker.state } } : {}),
    ...(device === undefined ? {} : { device }),
  };
}
