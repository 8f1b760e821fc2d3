import { PERMISSIONS, type Grants, type Permission } from "#protocol/people.ts";
import type { LabSettings } from "#protocol/lab-settings.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";
import { LAB } from "./changes.ts";
import { labSettings } from "./lab-settings.ts";
import { ANONYMOUS, type Reader } from "./principal.ts";
import { userAccess, type UserAccess } from "./users.ts";

/**
 * Who may what. Two rules, one of which the lab has (settings, `access.rule`):
 * - closed: whoever is granted nothing may nothing. What the lab grants holds for all of it, what a device type grants for its
 *   devices.
 * - open: LAVA's (SCHEDULER.md 5). What grants a permission to nobody lets everybody see it and every user submit to it;
 *   changing always needs a grant.
 * An administrator may everything, whatever the rule.
 */
export interface Access extends UserAccess {
  readonly rule: LabSettings["access"]["rule"];
  /** What the lab as a whole grants. */
  readonly lab: Grants;
}

/** What has permissions of its own. */
interface Guarded {
  readonly permissions?: Grants | undefined;
}
type Device = Pick<DeviceRecord, "health" | "permissions">;
type Job = Pick<JobRecord, "submitter" | "visibility" | "viewing_groups">;

/** The access of whoever asks, of one who is named, or of somebody who is not signed in. */
export async function accessOf(deps: Deps, who: Reader | string): Promise<Access> {
  if (typeof who !== "string" && who.kind !== ANONYMOUS && who.admin) {
    return { ...asUser(who), rule: "closed", lab: {} };
  }
  const user = typeof who === "string" ? userAccess(deps, who) : asUser(who);
  const [person, settings] = await Promise.all([user, labSettings(deps)]);
  return accessUnder(settings, person);
}

/** The same of what was read already. */
export const accessUnder = (
  { access }: Pick<LabSettings, "access">,
  { name, admin, active, groups }: UserAccess,
): Access => ({ name, admin, active, groups, rule: access.rule, lab: access.permissions });

const asUser = (reader: Reader): UserAccess =>
  reader.kind === ANONYMOUS
    ? { name: "", admin: false, active: true, groups: [] }
    : { name: reader.name, admin: reader.admin, active: true, groups: reader.groups };

/** Whether a permission, or one that implies it, is granted to somebody by name, by group or as one of all. */
export function isGranted(
  { name, groups }: Pick<Access, "name" | "groups">,
  grants: Grants | undefined,
  permission: Permission,
): boolean {
  if (!grants) return false;
  const isTheirs = (to: string): boolean =>
    to === "anonymous" ||
    (name !== "" && (to === "everyone" || to === `user:${name}` || groups.includes(to)));
  return PERMISSIONS.slice(PERMISSIONS.indexOf(permission)).some((one) =>
    grants[one]?.some(isTheirs),
  );
}

/** Whether somebody has a permission on the lab as a whole, and so on everything in it. */
export const hasOnLab = (access: Access, permission: Permission): boolean =>
  access.active && (access.admin || isGranted(access, access.lab, permission));

/** LAVA's: an object that grants a permission to nobody is unrestricted for it. */
const isFree = (access: Access, { permissions }: Guarded, permission: "view" | "submit"): boolean =>
  access.rule === "open" && (permissions?.[permission]?.length ?? 0) === 0;

export const maySeeDeviceType = (access: Access, type: Guarded): boolean =>
  hasOnLab(access, "view") ||
  (access.active && (isGranted(access, type.permissions, "view") || isFree(access, type, "view")));

/** `type`: that of the device; of one whose type is gone an empty object. */
export function maySeeDevice(access: Access, device: Guarded, type: Guarded): boolean {
  if (hasOnLab(access, "view")) return true;
  if (!access.active) return false;
  if (isGranted(access, device.permissions, "view")) return true;
  if (access.rule === "closed") return isGranted(access, type.permissions, "view");
  return isFree(access, device, "view") && maySeeDeviceType(access, type);
}

/** A Retired device takes no job of anybody; the lab's own health checks may run on every other. */
export function maySubmitTo(access: Access, device: Device, type: Guarded): boolean {
  if (device.health === "Retired") return false;
  if (access.name === LAB) return true;
  if (access.name === "" || !access.active) return false;
  if (hasOnLab(access, "submit") || isGranted(access, device.permissions, "submit")) return true;
  const byType = isGranted(access, type.permissions, "submit");
  if (access.rule === "closed") return byType;
  return isFree(access, device, "submit") && (byType || isFree(access, type, "submit"));
}

/** Health, dictionary, description, tags ...; never without a grant. */
export const mayChangeDevice = (access: Access, device: Guarded, type: Guarded): boolean =>
  mayDoToDevice(access, device, type, "change");

/** Its permissions, and removing it. */
export const mayAdministerDevice = (access: Access, device: Guarded, type: Guarded): boolean =>
  mayDoToDevice(access, device, type, "admin");

function mayDoToDevice(
  access: Access,
  device: Guarded,
  type: Guarded,
  permission: "change" | "admin",
): boolean {
  if (hasOnLab(access, permission)) return true;
  if (!access.active) return false;
  if (isGranted(access, device.permissions, permission)) return true;
  // LAVA: a device that says itself who may change it is not its type's any more.
  const isItsOwn = access.rule === "open" && (device.permissions?.[permission]?.length ?? 0) > 0;
  return !isItsOwn && isGranted(access, type.permissions, permission);
}

export const maySeeWorker = (access: Access, worker: Guarded): boolean =>
  hasOnLab(access, "view") ||
  (access.active &&
    (isGranted(access, worker.permissions, "view") || isFree(access, worker, "view")));

/** A device type or a worker: `change` what it says, `admin` its permissions and whether it is there. */
export const mayDoTo = (access: Access, thing: Guarded, permission: "change" | "admin"): boolean =>
  hasOnLab(access, permission) ||
  (access.active && isGranted(access, thing.permissions, permission));

/**
 * Its submitter, members of all its viewing groups where it has some, else, of a public one, whoever may see the device that
 * it has or, while it has none, its type. `device`: undefined where it has none or that is gone.
 */
export function maySeeJob(
  access: Access,
  job: Job,
  device: Guarded | undefined,
  type: Guarded,
): boolean {
  if (!access.active) return false;
  if (hasOnLab(access, "admin") || isSubmitter(access, job)) return true;
  const groups = job.viewing_groups ?? [];
  if (groups.length > 0) return groups.every((group) => access.groups.includes(group));
  if ((job.visibility ?? "public") !== "public") return false;
  return device ? maySeeDevice(access, device, type) : maySeeDeviceType(access, type);
}

/** Cancel it, change its priority, annotate it: its submitter, and whoever may change its device or device type. */
export const mayChangeJob = (
  access: Access,
  job: Job,
  device: Guarded | undefined,
  type: Guarded,
): boolean =>
  isSubmitter(access, job) ||
  (device !== undefined && mayChangeDevice(access, device, type)) ||
  mayDoTo(access, type, "change");

const isSubmitter = ({ name, active }: Access, { submitter }: Job): boolean =>
  active && name !== "" && name === submitter;
