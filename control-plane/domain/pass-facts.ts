import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { DEVICE_TYPE_DEFAULTS, type DeviceTypeRecord } from "./device-types.ts";
import type { JobRecord } from "./job-record.ts";
import { deviceTypeKey, workerKey } from "./keys.ts";
import type { Facts } from "./suits.ts";
import { readAssignments, type WorkerRecord } from "./worker-record.ts";

/** What a pass, or whoever wants to know why a job waits, has found out; good for as long as that takes. */
export interface PassFacts {
  /** What holds for a job whatever the device; read once for all jobs that it holds for. */
  forJob(job: JobRecord): Promise<Facts>;
  /** Read once. */
  deviceType(name: string): Promise<DeviceTypeRecord>;
}

/** Made for each pass anew. */
export function passFacts({ system, table }: Deps): PassFacts {
  const facts: Facts = { now: system.now() };
  const types = new Map<string, Promise<DeviceTypeRecord>>();
  const readType = async (name: string): Promise<DeviceTypeRecord> => {
    const item = await table.get<DeviceTypeRecord>(deviceTypeKey(name));
    return { ...DEVICE_TYPE_DEFAULTS, name, ...item?.data };
  };
  return {
    forJob: async () => facts,
    deviceType(name) {
      const type = types.get(name) ?? readType(name);
      types.set(name, type);
      return type;
    },
  };
}

/** The same with what is known of the device's worker, read now. */
export async function withWorker(deps: Deps, facts: Facts, device: DeviceRecord) {
  const [worker, { jobIds, replace }] = await Promise.all([
    deps.table.get<WorkerRecord>(workerKey(device.worker)),
    readAssignments(deps, device.worker),
  ]);
  const all: Facts = { ...facts, worker: worker?.data ?? null, jobsOfWorker: jobIds.length };
  return { facts: all, jobIds, replace };
}
