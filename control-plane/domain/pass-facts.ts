import { accessUnder, type Access } from "./access.ts";
import { LAB } from "./changes.ts";
import { claimsFor, type Claims } from "./claims.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { DEVICE_TYPE_DEFAULTS, type DeviceTypeRecord } from "./device-types.ts";
import type { JobRecord } from "./job-record.ts";
import { deviceTypeKey, workerKey } from "./keys.ts";
import type { Facts } from "./suits.ts";
import { userAccess } from "./users.ts";
import { comingWindows, type ComingWindow } from "./windows.ts";
import { readAssignments, type WorkerRecord } from "./worker-record.ts";

/** What a pass, or whoever wants to know why a job waits, has found out; good for as long as that takes. */
export interface PassFacts {
  /** What holds for a job whatever the device; read once for all jobs that it holds for. */
  forJob(job: JobRecord): Promise<Facts>;
  /** Read once. */
  deviceType(name: string): Promise<DeviceTypeRecord>;
  /** Quotas and fair share. */
  readonly claims: Claims;
  /** It is a pass, not somebody who only wants to know. */
  readonly isPass: boolean;
}

/** Made for each pass anew. `notesHeld`: it is a pass, which is to be repeated when a quota that holds a job back has a place again. */
export function passFacts(deps: Deps, { notesHeld = false } = {}): PassFacts {
  const { settings, system, table } = deps;
  const claims = claimsFor(deps, notesHeld);
  const facts: Facts = { now: system.now(), hasCoordinator: settings.coordinator === true };
  let windows: Promise<ComingWindow[]> | undefined;
  const accesses = new Map<string, Promise<Access>>();
  const readAccess = async (submitter: string): Promise<Access> => {
    return accessUnder(await claims.settings(), await userAccess(deps, submitter));
  };
  const types = new Map<string, Promise<DeviceTypeRecord>>();
  const readType = async (name: string): Promise<DeviceTypeRecord> => {
    const item = await table.get<DeviceTypeRecord>(deviceTypeKey(name));
    return { ...DEVICE_TYPE_DEFAULTS, name, ...item?.data };
  };
  return {
    claims,
    isPass: notesHeld,
    async forJob({ submitter, device_type }) {
      windows ??= comingWindows(deps, facts.now);
      const known: Facts = { ...facts, windows: await windows };
      // The lab's own health checks go everywhere.
      if (submitter === LAB) return known;
      const access = accesses.get(submitter) ?? readAccess(submitter);
      accesses.set(submitter, access);
      const quota = await claims.fullFor({ submitter, device_type });
      const allowed = { access: await access, type: await this.deviceType(device_type) };
      return { ...known, ...allowed, ...(quota ? { quota } : {}) };
    },
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
