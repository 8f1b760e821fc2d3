import type { JobView } from "#protocol/api.ts";
import type { Grants, Permission } from "#protocol/people.ts";
import {
  accessOf,
  hasOnLab,
  mayAdministerDevice,
  mayChangeDevice,
  mayChangeJob,
  mayDoTo,
  maySeeDevice,
  maySeeDeviceType,
  maySeeJob,
  type Access,
} from "./access.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { getDeviceItem, type DeviceRecord } from "./device-record.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import { findSubJob } from "./group-record.ts";
import {
  attemptOf,
  findJobItem,
  getAttempt,
  getJobItem,
  jobView,
  noJob,
  type JobRecord,
} from "./job-record.ts";
import { deviceKey, deviceTypeKey } from "./keys.ts";
import { requireReader, type Principal, type User } from "./principal.ts";
import type { Item } from "../ports/table.ts";

/** What somebody may see. Each device and device type is read once at the most, and only where it matters. */
export interface Sight {
  readonly access: Access;
  readonly job: (job: JobRecord) => Promise<boolean>;
  readonly device: (device: DeviceRecord) => Promise<boolean>;
  readonly deviceType: (type: Pick<DeviceTypeRecord, "permissions">) => boolean;
  /** Whether they may change a job: cancel it, say. */
  readonly changesJob: (job: JobRecord) => Promise<boolean>;
  /** What a device type grants; nothing when there is none. */
  readonly typeNamed: (name: string) => Promise<{ permissions?: Grants }>;
}

/** The sight of whoever asks; `forbidden` for workers and jobs. */
export async function sightOf(deps: Deps, principal: Principal): Promise<Sight> {
  return sightBy(deps, await accessOf(deps, requireReader(principal)));
}

/** What may be seen by an access that is known already. */
export function sightBy({ table }: Deps, access: Access): Sight {
  const types = new Map<string, Promise<{ permissions?: Grants }>>();
  const devices = new Map<string, Promise<DeviceRecord | undefined>>();
  const typeNamed = (name: string) =>
    remembered(types, name, async () => {
      return (await table.get<DeviceTypeRecord>(deviceTypeKey(name)))?.data ?? {};
    });
  const deviceNamed = (name: string) =>
    remembered(devices, name, async () => {
      return (await table.get<DeviceRecord>(deviceKey(name)))?.data;
    });
  const seesAll = hasOnLab(access, "admin");
  const whereItIs = async ({ device, device_type }: JobRecord) =>
    [
      device === undefined ? undefined : await deviceNamed(device),
      await typeNamed(device_type),
    ] as const;
  return {
    access,
    typeNamed,
    async job(job) {
      if (seesAll) return true;
      const isPlain = (job.visibility ?? "public") === "public" && !job.viewing_groups?.length;
      if (isPlain && hasOnLab(access, "view")) return true;
      // What does not take a read is asked first.
      if (maySeeJob(access, { ...job, visibility: "personal" }, undefined, {})) return true;
      return isPlain && maySeeJob(access, job, ...(await whereItIs(job)));
    },
    async device(device) {
      if (hasOnLab(access, "view") || maySeeDevice({ ...access, rule: "closed" }, device, {})) {
        return true;
      }
      return maySeeDevice(access, device, await typeNamed(device.device_type));
    },
    deviceType: (type) => maySeeDeviceType(access, type),
    async changesJob(job) {
      if (hasOnLab(access, "change")) return true;
      return mayChangeJob(access, job, ...(await whereItIs(job)));
    },
  };
}

function remembered<T>(
  known: Map<string, Promise<T>>,
  name: string,
  read: () => Promise<T>,
): Promise<T> {
  const found = known.get(name) ?? read();
  known.set(name, found);
  return found;
}

/**
 * A job that whoever asks may see, or an attempt of it. Throws `not_found` for one that they may not see as for one that isn't
 * there.
 */
export async function getVisibleJob(
  deps: Deps,
  principal: Principal,
  id: number,
  attempt?: number,
): Promise<JobRecord> {
  const sight = await sightOf(deps, principal);
  const job = (await findJobItem(deps, id))?.data;
  if (!job || !(await sight.job(job))) throw noJob(id);
  return attempt === undefined || attempt === attemptOf(job) ? job : getAttempt(deps, id, attempt);
}

/**
 * A job that whoever asks may change (SCHEDULER.md 5), as it is read. Throws `not_found` for one that they may not even see,
 * and `forbidden`; `done` says what can't be done: "canceled".
 */
export async function getChangeableJob(
  deps: Deps,
  user: User,
  id: number,
  done: string,
): Promise<Item<JobRecord>> {
  const sight = await sightOf(deps, user);
  const item = await getJobItem(deps, id);
  if (await sight.changesJob(item.data)) return item;
  if (!(await sight.job(item.data))) throw noJob(id);
  throw new AppError(
    "forbidden",
    `job ${id} can be ${done} by ${item.data.submitter} and by those who may change its device or device type`,
  );
}

/**
 * A job that somebody has changed, as they may see it: who may change its device may cancel a private one, and is told nothing
 * that they did not know of it.
 */
export async function viewFor(deps: Deps, user: User, job: JobRecord): Promise<JobView> {
  if (await (await sightOf(deps, user)).job(job)) return jobView(job);
  const { id, state, health, device_type, device, worker, priority, submit_time } = job;
  const known = { id, state, health, device_type, priority, submit_time };
  const where = {
    ...(device === undefined ? {} : { device }),
    ...(worker === undefined ? {} : { worker }),
  };
  return { ...known, ...where, description: "", submitter: "", tags: [], log_lines: 0 };
}

/**
 * The id of the job that a sub id (`4212.1`) names; undefined when it is none, nobody's, or that of one which whoever asks may
 * not know of.
 */
export async function findVisibleSubJob(
  deps: Deps,
  principal: Principal,
  subId: string,
): Promise<number | undefined> {
  const id = await findSubJob(deps, subId);
  if (id === undefined || principal.kind === "worker" || principal.kind === "job") return id;
  const job = (await findJobItem(deps, id))?.data;
  if (!job) return undefined;
  const sight = await sightOf(deps, principal);
  return (await sight.job(job)) || (await sight.changesJob(job)) ? id : undefined;
}

/** The same as `getVisibleJob` for a device. */
export async function getVisibleDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<Item<DeviceRecord>> {
  const sight = await sightOf(deps, principal);
  const item = await getDeviceItem(deps, hostname);
  if (await sight.device(item.data)) return item;
  throw new AppError("not_found", `there is no device ${JSON.stringify(hostname)}`);
}

/**
 * A device that whoever asks may change, or with `admin` remove and give permissions of. Throws `not_found` for one that they
 * may not even see, and `forbidden`.
 */
export async function getChangeableDevice(
  deps: Deps,
  user: User,
  hostname: string,
  permission: "change" | "admin" = "change",
): Promise<Item<DeviceRecord>> {
  const item = await getVisibleDevice(deps, user, hostname);
  const access = await accessOf(deps, user);
  const { typeNamed } = sightBy(deps, access);
  const may = permission === "change" ? mayChangeDevice : mayAdministerDevice;
  if (may(access, item.data, await typeNamed(item.data.device_type))) return item;
  throw refusal(`device ${hostname}`, permission);
}

/**
 * The permissions that a thing has once it is written: as it has them when none are wanted. Giving it others needs the
 * permission to administer it. Throws `forbidden`.
 */
export async function nextPermissions(
  deps: Deps,
  user: User,
  thing: { permissions?: Grants | undefined } | undefined,
  wanted: Grants | undefined,
): Promise<{ permissions?: Grants }> {
  const old = thing?.permissions;
  const next = wanted ?? old;
  if (JSON.stringify(next ?? {}) !== JSON.stringify(old ?? {})) {
    if (user.scopes && !user.scopes.includes("admin")) {
      throw new AppError(
        "forbidden",
        `permissions: to change them a token needs the scope admin; this one has: ${user.scopes.join(", ")}`,
      );
    }
    if (!mayDoTo(await accessOf(deps, user), thing ?? {}, "admin")) {
      throw refusal("this, as its permissions would change", "admin");
    }
  }
  return next && Object.keys(next).length > 0 ? { permissions: next } : {};
}

/** For what would make something new where there is nothing that whoever asks may see: that is an administrator's to do. */
export async function orForbidden<T>(found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "not_found") throw error;
    throw new AppError("forbidden", `${error.message}; only an administrator may make it`);
  }
}

/** Says which permission is missing. */
export const refusal = (what: string, permission: Permission): AppError =>
  new AppError("forbidden", `this needs permission "${permission}" on ${what}`);

/** For what belongs to the lab as a whole; throws `forbidden`, or `unauthenticated` for one who is not signed in. */
export async function requireOnLab(
  deps: Deps,
  principal: Principal,
  permission: "view" | "change" | "admin",
): Promise<void> {
  const reader = requireReader(principal);
  if (hasOnLab(await accessOf(deps, reader), permission)) return;
  throw new AppError(
    "forbidden",
    `this needs permission "${permission}" on the lab as a whole; an administrator can grant it: pumice permissions add lab GROUP ${permission}`,
  );
}

/** Whether somebody may change a job that they see: cancel it, annotate it. Never throws `forbidden`. */
export async function mayChange(deps: Deps, principal: Principal, id: number): Promise<boolean> {
  if (principal.kind !== "user" && principal.kind !== "session") return false;
  const job = (await findJobItem(deps, id))?.data;
  return job !== undefined && (await sightOf(deps, principal)).changesJob(job);
}
