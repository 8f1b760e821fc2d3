import { AppError } from "../../domain/app-error.ts";
import type { Permission, PermissionKind } from "#protocol/people.ts";
import { everyDevice, everyDeviceType } from "../every.ts";
import { Fault } from "./fault.ts";
import { findJob } from "./find-job.ts";
import { jobId, method, name, names, type Call, type Method } from "./method.ts";
import type { XmlRpcValue } from "./xml-value.ts";
import * as v from "valibot";

/** LAVA's `submit_to_device` and `change_devicetype`, as ours. */
const WORDS: Readonly<Record<string, Permission>> = {
  view: "view",
  submit_to: "submit",
  change: "change",
  admin: "admin",
};

async function grant(
  { deps, principal }: Call,
  {
    perm,
    kind,
    name,
    group,
    remove,
  }: {
    perm: string;
    kind: PermissionKind;
    name: string;
    group: string;
    remove: boolean;
  },
): Promise<true> {
  const [, word = ""] = /^([a-z_]+?)_(?:device|devicetype)$/.exec(perm) ?? [];
  const permission = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
  if (!permission) {
    const suffix = kind === "device" ? "device" : "devicetype";
    const known = Object.keys(WORDS).map((one) => `${one}_${suffix}`);
    throw new Fault(400, `perm: expected ${known.join(", ")}, not '${perm}'`);
  }
  const { grant: grantIt } = await import("../../domain/permissions.ts");
  await grantIt(deps, principal, kind, name, { to: group, permission, remove });
  return true;
}

const permissionMethod = (kind: "device" | "device_type", remove: boolean): Method =>
  method(
    `system.${remove ? "revoke" : "assign"}_perm_${kind}`,
    "admin",
    { perm: name, [kind]: name, group: name },
    `${remove ? "Takes a permission on it from" : "Grants a permission on it to"} a group: view, submit_to, change or admin, as in view_device.`,
    (call, { perm, group, ...rest }) =>
      grant(call, {
        ...{ perm: String(perm), group: String(group), remove },
        kind: kind === "device" ? "device" : "device-type",
        name: String((rest as Record<string, unknown>)[kind]),
      }),
  );

/** Of the groups that there are: somebody becomes a member of exactly those that are named. */
async function setGroups({ deps, principal }: Call, user: string, wanted: string[]): Promise<true> {
  const { requireAdmin } = await import("../../domain/principal.ts");
  requireAdmin(principal);
  const { getUser } = await import("../../domain/people.ts");
  const { listGroups, setMember } = await import("../../domain/groups.ts");
  const known = await getUser(deps, principal, user).catch((error: unknown) => {
    if (error instanceof AppError && error.code === "not_found") return undefined;
    throw error;
  });
  if (!known) throw new Fault(400, "please use an existing user");
  const { groups } = await listGroups(deps, principal);
  for (const group of wanted) {
    if (groups.some((one) => one.name === group)) continue;
    throw new Fault(400, `please use existing group names: there is no group ${group}`);
  }
  for (const { name: group, members } of groups) {
    const isMember = wanted.includes(group);
    if (isMember !== members.includes(user)) {
      await setMember(deps, principal, { group, user, isMember });
    }
  }
  return true;
}

async function viewDevices(call: Call, wanted: readonly string[]): Promise<XmlRpcValue> {
  const seen = (await everyDevice(call)).filter(({ hostname }) => wanted.includes(hostname));
  const byType: Record<string, XmlRpcValue[]> = {};
  for (const { hostname, device_type } of seen) {
    (byType[device_type] ??= []).push({
      [hostname]: { is_pipeline: true, visible: true, exclusive: true },
    });
  }
  return byType;
}

async function viewJobs({ deps, principal }: Call, ids: readonly string[]): Promise<XmlRpcValue> {
  const { getVisibleJob } = await import("../../domain/visible.ts");
  const answers: Record<string, boolean> = {};
  for (const id of ids) {
    try {
      await getVisibleJob(deps, principal, await findJob(deps, id));
      answers[id] = true;
    } catch (error) {
      // As LAVA, which leaves out what is not there; here nobody learns whether it is.
      if (!(error instanceof AppError || error instanceof Fault)) throw error;
    }
  }
  return answers;
}

async function submitToTypes(call: Call, types: readonly string[]): Promise<XmlRpcValue> {
  const { maySubmitToType } = await import("../../domain/may-submit.ts");
  const answers: Record<string, boolean> = {};
  for (const { name: type } of await everyDeviceType(call)) {
    if (types.includes(type)) {
      answers[type] = await maySubmitToType(call.deps, call.principal, type);
    }
  }
  return answers;
}

/** What is in `system` about permissions. */
export const permissionMethods: Method[] = [
  permissionMethod("device", false),
  permissionMethod("device_type", false),
  permissionMethod("device", true),
  permissionMethod("device_type", true),
  method(
    "system.set_user_groups",
    "admin",
    { user: name, groups: names },
    "Makes a user a member of exactly these groups. For administrators.",
    (call, { user, groups }) => setGroups(call, user, groups),
  ),
  method(
    "system.user_can_view_devices",
    "read",
    { device_list: names },
    "Which of these devices the caller may see, by device type.",
    (call, { device_list }) => viewDevices(call, device_list),
  ),
  method(
    "system.user_can_view_jobs",
    "read",
    { job_list: v.pipe(v.array(jobId), v.maxLength(200, "expected at most 200 jobs")) },
    "Which of these jobs the caller may see.",
    (call, { job_list }) => viewJobs(call, job_list),
  ),
  method(
    "system.user_can_submit_to_types",
    "read",
    { type_list: names },
    "Whether the caller may submit to a device of each of these types.",
    (call, { type_list }) => submitToTypes(call, type_list),
  ),
];
