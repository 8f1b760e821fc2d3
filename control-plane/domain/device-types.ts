import type { DeviceTypeView } from "#protocol/api.ts";
import type { AliasView } from "#protocol/lab-lists.ts";
import { labName, type LabDeviceType } from "#protocol/lab.ts";
import type { Item, NewItem, Operation } from "../ports/table.ts";
import { mayDoTo } from "./access.ts";
import { atATime } from "./at-a-time.ts";
import { AppError } from "./app-error.ts";
import { changeItem, fieldChanges } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceTypeKey, namedKey } from "./keys.ts";
import { labSettings } from "./lab-settings.ts";
import { requireName } from "./require-name.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { listNamed } from "./named-items.ts";
import { namedPage, type PageRequest } from "./named-page.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { nextPermissions, orForbidden, refusal, sightOf, type Sight } from "./visible.ts";
import { without } from "./without.ts";

/** Types that are counted at a time: two reads each. */
const TYPES_AT_A_TIME = 10;

/** A device type in the table; what is not there has its default. */
export type DeviceTypeRecord = { name: string } & LabDeviceType;

/** Of a type that nobody described. */
export const DEVICE_TYPE_DEFAULTS: LabDeviceType = {
  description: "",
  display: true,
  health_frequency: 24,
  health_denominator: "hours",
  health_disabled: false,
};

/** Device types by name, a page of them, with how many devices each has and how many jobs wait, counted up to 100. */
export async function listDeviceTypes(
  deps: Deps,
  principal: Principal,
  page: PageRequest = {},
): Promise<{ device_types: DeviceTypeView[]; next_cursor?: string }> {
  const sight = await sightOf(deps, principal);
  const { records, next_cursor } = await pageOfTypes(deps, sight, page);
  const device_types = await atATime(TYPES_AT_A_TIME, records, (type) => viewOf(deps, sight, type));
  return { device_types, ...(next_cursor === undefined ? {} : { next_cursor }) };
}

/** Names to choose from: the first of many. */
export async function someDeviceTypeNames(deps: Deps, principal: Principal): Promise<string[]> {
  const sight = await sightOf(deps, principal);
  return (await pageOfTypes(deps, sight, { limit: 200 })).records.map(({ name }) => name);
}

async function pageOfTypes(deps: Deps, { deviceType: isVisible }: Sight, page: PageRequest) {
  const nameOf = ({ name }: DeviceTypeRecord) => name;
  const found = await namedPage<DeviceTypeRecord>(deps, "device-types", nameOf, page, isVisible);
  return { ...found, records: found.records.map((type) => ({ ...DEVICE_TYPE_DEFAULTS, ...type })) };
}

/** Throws `not_found`. */
export async function getDeviceType(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<DeviceTypeView> {
  const sight = await sightOf(deps, principal);
  const { data } = await getTypeItem(deps, name);
  if (!sight.deviceType(data)) throw noType(name);
  return viewOf(deps, sight, { ...DEVICE_TYPE_DEFAULTS, ...data });
}

/** Device types by name, without what they count. */
export async function* readDeviceTypes(deps: Deps): AsyncGenerator<DeviceTypeRecord> {
  for await (const { data } of queryAll<DeviceTypeRecord>(deps, "i1", "device-types")) {
    yield { ...DEVICE_TYPE_DEFAULTS, ...data };
  }
}

/** Names of all device types. */
export async function deviceTypeNames(deps: Deps): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of readDeviceTypes(deps)) names.push(name);
  return names;
}

/**
 * Makes or replaces a device type; its permissions stay when none are given. A new one is an administrator's to make. Throws
 * `conflict` when an alias has the name.
 */
export async function putDeviceType(
  deps: Deps,
  principal: Principal,
  name: string,
  type: LabDeviceType,
): Promise<DeviceTypeView> {
  const user = requireUser(principal);
  if (user.admin) requireName(labName, name, "device type");
  await retrying(async () => {
    const item = user.admin
      ? await deps.table.get<DeviceTypeRecord>(deviceTypeKey(name))
      : await orForbidden(getTypeToChange(deps, user, name, "change"));
    await requireNoAlias(deps, name);
    const permissions = await nextPermissions(deps, user, item?.data, type.permissions);
    const record = { ...without(type, "permissions"), name, ...permissions };
    await deps.table.transact([
      ...changeTypeItem(deps, user, item, record),
      { check: namedKey("aliases", name), when: "absent" },
    ]);
  });
  return getDeviceType(deps, principal, name);
}

/** Throws `not_found`, or `conflict` while devices or aliases are of this type. */
export async function removeDeviceType(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<void> {
  const user = requireUser(principal);
  await retrying(async () => {
    const { data, version } = await getTypeToChange(deps, user, name, "admin");
    const devices = await namesOf(deps, `type-devices#${name}`);
    const aliases = await listNamed<AliasView>(deps, "aliases");
    const users = [
      ...devices,
      ...aliases.filter((alias) => alias.device_type === name).map((alias) => alias.name),
    ];
    if (users.length > 0) {
      const message = `device type ${name} is that of ${users.slice(0, 10).join(", ")}; remove or change them first`;
      throw new AppError("conflict", message);
    }
    await deps.table.transact([
      { delete: deviceTypeKey(name), when: { version } },
      { put: typeChange(deps, user, data, undefined), when: "absent" },
    ]);
  });
}

/**
 * For the transaction that puts a device: its type is made when it is new, and stays when it is there. Throws
 * `invalid` when the name is an alias.
 */
export async function keepDeviceType(deps: Deps, name: string): Promise<Operation[]> {
  const item = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(name));
  if (item) return [{ check: deviceTypeKey(name), when: { version: item.version } }];
  await requireNoAlias(deps, name, "invalid");
  const { health_frequency_hours: health_frequency } = (await labSettings(deps)).scheduling;
  return [
    typeItem({ name, ...DEVICE_TYPE_DEFAULTS, health_frequency }, undefined),
    { check: namedKey("aliases", name), when: "absent" },
  ];
}

/** Throws `not_found`. */
async function getTypeItem(deps: Deps, name: string): Promise<Item<DeviceTypeRecord>> {
  const item = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(name));
  if (!item) throw noType(name);
  return item;
}

const noType = (name: string): AppError =>
  new AppError("not_found", `there is no device type ${JSON.stringify(name)}`);

/** One that whoever asks may change. Throws `not_found` for one that they may not even see, and `forbidden`. */
export async function getTypeToChange(
  deps: Deps,
  user: User,
  name: string,
  permission: "change" | "admin",
): Promise<Item<DeviceTypeRecord>> {
  const { access, deviceType: isVisible } = await sightOf(deps, user);
  const item = await getTypeItem(deps, name);
  if (mayDoTo(access, item.data, permission)) return item;
  throw isVisible(item.data) ? refusal(`device type ${name}`, permission) : noType(name);
}

/** What is to be written with a device type that somebody made or changed. */
export const changeTypeItem = (
  deps: Deps,
  user: User,
  old: Item<DeviceTypeRecord> | undefined,
  record: DeviceTypeRecord,
): Operation[] => [
  typeItem(record, old),
  { put: typeChange(deps, user, old?.data, record), when: "absent" },
];

function typeChange(
  deps: Deps,
  { name: who }: User,
  before: DeviceTypeRecord | undefined,
  after: DeviceTypeRecord | undefined,
): NewItem {
  const name = (after ?? before)?.name ?? "";
  const changed = fieldChanges(
    before && { ...DEVICE_TYPE_DEFAULTS, ...before },
    after && { ...DEVICE_TYPE_DEFAULTS, ...after },
  );
  return changeItem(deps, { who, kind: "device-type", name, changed });
}

export const deviceTypeItem = (data: DeviceTypeRecord): NewItem => ({
  key: deviceTypeKey(data.name),
  data,
  keys: { i1: { partition: "device-types", sort: data.name } },
});

const typeItem = (data: DeviceTypeRecord, old: Item<DeviceTypeRecord> | undefined): Operation => ({
  put: deviceTypeItem(data),
  when: old ? { version: old.version } : "absent",
});

async function requireNoAlias(
  deps: Deps,
  name: string,
  code: "conflict" | "invalid" = "conflict",
): Promise<void> {
  const alias = await deps.table.get<{ device_type: string }>(namedKey("aliases", name));
  if (!alias) return;
  const { device_type } = alias.data;
  throw new AppError(code, `${name} is an alias of device type ${device_type}, not a type`);
}

/** What is counted is what whoever asks may see. */
async function viewOf(deps: Deps, sight: Sight, type: DeviceTypeRecord): Promise<DeviceTypeView> {
  const [devices, queued] = await Promise.all([
    count(deps, `type-devices#${type.name}`, sight.device),
    count(deps, `queue#${type.name}`, sight.job),
  ]);
  return { ...without(type, "permissions"), devices, queued };
}

async function namesOf(deps: Deps, partition: string): Promise<string[]> {
  const { items } = await deps.table.query<{ hostname: string }>("i2", partition, { limit: 10 });
  return items.map(({ data }) => data.hostname);
}

/** Up to a hundred: whoever shows a hundred means "a hundred or more". */
async function count<T>(
  deps: Deps,
  partition: string,
  isVisible: (record: T) => Promise<boolean>,
): Promise<number> {
  const { items } = await deps.table.query<T>("i2", partition, { limit: 100 });
  const visible = await Promise.all(items.map(({ data }) => isVisible(data)));
  return visible.filter(Boolean).length;
}
