import * as v from "valibot";
import {
  grantsSchema,
  type Grant,
  type Grants,
  type PermissionKind,
  type PermissionsList,
  type PermissionsView,
} from "#protocol/people.ts";
import type { NewItem } from "../ports/table.ts";
import { accessOf, hasOnLab, mayDoTo } from "./access.ts";
import { AppError } from "./app-error.ts";
import { changeItem, fieldChanges } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { deviceTypeItem, type DeviceTypeRecord } from "./device-types.ts";
import { deviceKey, deviceTypeKey, namedKey, workerKey } from "./keys.ts";
import { labSettings, writeSettings } from "./lab-settings.ts";
import { namedPage } from "./named-page.ts";
import { requireAdmin, requireUser, type Principal, type User } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { findUser } from "./users.ts";
import { refusal, sightOf } from "./visible.ts";
import { without } from "./without.ts";
import { workerItem, type WorkerRecord } from "./worker-record.ts";

type Thing = Exclude<PermissionKind, "lab">;
type Record = DeviceRecord | DeviceTypeRecord | WorkerRecord;

const KEY = { "device-type": deviceTypeKey, device: deviceKey, worker: workerKey } as const;
const LIST = { "device-type": "device-types", device: "devices", worker: "workers" } as const;
const WORDS = { "device-type": "device type", device: "device", worker: "worker" } as const;

/** Who may what with a thing, for those who may administer it. Throws `not_found` for one that they may not even see. */
export async function getPermissions(
  deps: Deps,
  principal: Principal,
  kind: PermissionKind,
  name: string,
): Promise<PermissionsView> {
  const user = requireUser(principal);
  if (kind === "lab") {
    if (!hasOnLab(await accessOf(deps, user), "admin")) throw refusal("the lab", "admin");
    return { kind, name, permissions: (await labSettings(deps)).access.permissions };
  }
  const { data } = await getThing(deps, user, kind, name);
  return { kind, name, permissions: data.permissions ?? {} };
}

/** Everything that grants something to somebody: the lab first, then a page of one kind of things. */
export async function listPermissions(
  deps: Deps,
  principal: Principal,
  kind: PermissionKind,
  page: { limit?: number | undefined; cursor?: string | undefined } = {},
): Promise<PermissionsList> {
  const user = requireAdmin(principal);
  if (kind === "lab") return { permissions: [await getPermissions(deps, user, kind, "lab")] };
  const isGranting = ({ permissions }: Record) => permissions !== undefined;
  const { records, ...next } = await namedPage(deps, LIST[kind], nameOf, page, isGranting);
  const permissions = records.map((one) => ({
    ...{ kind, name: nameOf(one), permissions: one.permissions ?? {} },
  }));
  return { permissions, ...next };
}

/**
 * Grants a permission to a group or a user, or takes it back. Of the lab as a whole only an administrator does that. Throws
 * `not_found` for an unknown thing, `invalid` for an unknown group or user.
 */
export async function grant(
  deps: Deps,
  principal: Principal,
  kind: PermissionKind,
  name: string,
  request: Grant,
): Promise<PermissionsView> {
  const user = kind === "lab" ? requireAdmin(principal) : requireUser(principal);
  if (!request.remove) await requireGrantee(deps, request.to);
  if (kind === "lab") {
    const { access } = await labSettings(deps);
    const permissions = changed(access.permissions, request);
    await writeSettings(deps, { access: { ...access, permissions } }, { who: user.name });
    return { kind, name, permissions };
  }
  const permissions = await retrying(async () => {
    const { data, version } = await getThing(deps, user, kind, name);
    const next = changed(data.permissions ?? {}, request);
    const change = fieldChanges(
      { permissions: data.permissions },
      { permissions: isEmpty(next) ? undefined : next },
    );
    const audit = { who: user.name, kind, name, changed: change } as const;
    await deps.table.transact([
      { put: itemOf(kind, data, next), when: { version } },
      { put: changeItem(deps, audit), when: "absent" },
    ]);
    return next;
  });
  if (kind !== "worker") await requestPass(deps, kind, name);
  return { kind, name, permissions };
}

async function requestPass(deps: Deps, kind: "device-type" | "device", name: string) {
  const type =
    kind === "device-type"
      ? name
      : (await deps.table.get<DeviceRecord>(deviceKey(name)))?.data.device_type;
  if (type !== undefined) await deps.signals.requestPass(type);
}

async function getThing(deps: Deps, user: User, kind: Thing, name: string) {
  const item = await deps.table.get<Record>(KEY[kind](name));
  const none = new AppError("not_found", `there is no ${WORDS[kind]} ${JSON.stringify(name)}`);
  if (!item) throw none;
  const sight = await sightOf(deps, user);
  const { data } = item;
  const isTypes =
    "device_type" in data &&
    mayDoTo(sight.access, await sight.typeNamed(data.device_type), "admin");
  if (isTypes || mayDoTo(sight.access, data, "admin")) return item;
  const isSeen = "hostname" in data ? await sight.device(data) : sight.deviceType(data);
  throw isSeen ? refusal(`${WORDS[kind]} ${name}`, "admin") : none;
}

function itemOf(kind: Thing, data: Record, permissions: Grants): NewItem {
  const record = {
    ...without(data, "permissions"),
    ...(isEmpty(permissions) ? {} : { permissions }),
  };
  if (kind === "device") return deviceItem(record as DeviceRecord);
  if (kind === "worker") return workerItem(record as WorkerRecord);
  return deviceTypeItem(record as DeviceTypeRecord);
}

/** A group or a user who is not there is a slip of the pen; one who was granted something before they came can be taken back. */
async function requireGrantee(deps: Deps, to: string): Promise<void> {
  if (to === "everyone" || to === "anonymous") return;
  const [, user] = /^user:(.*)$/.exec(to) ?? [];
  if (user === undefined) {
    if (await deps.table.get(namedKey("groups", to))) return;
    const message = `there is no group ${to}; a user is named as user:${to}, and everyone is a group that is always there`;
    throw new AppError("invalid", message);
  }
  if (!(await findUser(deps, user))) throw new AppError("invalid", `there is no user ${user}`);
}

function changed(grants: Grants, { to, permission, remove }: Grant): Grants {
  const others = (grants[permission] ?? []).filter((one) => one !== to);
  return v.parse(grantsSchema, { ...grants, [permission]: remove ? others : [...others, to] });
}

const isEmpty = (grants: Grants): boolean => Object.keys(grants).length === 0;

const nameOf = (one: Record): string => ("hostname" in one ? one.hostname : one.name);
