import type { DeviceTypeView } from "#protocol/api.ts";
import { labName, type LabDeviceType } from "#protocol/lab.ts";
import type { Grants } from "#protocol/people.ts";
import type { Index, Item, NewItem, Operation } from "../ports/table.ts";
import { listAliases } from "./aliases.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { deviceTypeKey, namedKey } from "./keys.ts";
import { requireName } from "./require-name.ts";
import { requireAdmin, requireUser, type Principal } from "./principal.ts";
import { namedPage, type PageRequest } from "./named-page.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";

/** A device type in the table; what is not there has its default. */
export type DeviceTypeRecord = { name: string; permissions?: Grants } & LabDeviceType;

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
  requireUser(principal);
  const { records, next_cursor } = await pageOfTypes(deps, page);
  const device_types = await Promise.all(records.map((type) => viewOf(deps, type)));
  return { device_types, ...(next_cursor === undefined ? {} : { next_cursor }) };
}

/** Names to choose from: the first of many. */
export async function someDeviceTypeNames(deps: Deps): Promise<string[]> {
  return (await pageOfTypes(deps, { limit: 200 })).records.map(({ name }) => name);
}

async function pageOfTypes(deps: Deps, page: PageRequest) {
  const found = await namedPage<DeviceTypeRecord>(deps, "device-types", ({ name }) => name, page);
  return { ...found, records: found.records.map((type) => ({ ...DEVICE_TYPE_DEFAULTS, ...type })) };
}

/** Throws `not_found`. */
export async function getDeviceType(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<DeviceTypeView> {
  requireUser(principal);
  return viewOf(deps, { ...DEVICE_TYPE_DEFAULTS, ...(await getTypeItem(deps, name)).data });
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

/** Makes or replaces a device type. Throws `conflict` when an alias has the name. */
export async function putDeviceType(
  deps: Deps,
  principal: Principal,
  name: string,
  type: LabDeviceType,
): Promise<DeviceTypeView> {
  requireAdmin(principal);
  requireName(labName, name, "device type");
  await retrying(async () => {
    const item = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(name));
    await requireNoAlias(deps, name);
    await deps.table.transact([
      typeItem({ name, ...type }, item),
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
  requireAdmin(principal);
  await retrying(async () => {
    const { version } = await getTypeItem(deps, name);
    const devices = await namesOf(deps, `type-devices#${name}`);
    const { aliases } = await listAliases(deps, principal);
    const users = [
      ...devices,
      ...aliases.filter((alias) => alias.device_type === name).map((alias) => alias.name),
    ];
    if (users.length > 0) {
      const message = `device type ${name} is that of ${users.slice(0, 10).join(", ")}; remove or change them first`;
      throw new AppError("conflict", message);
    }
    await deps.table.transact([{ delete: deviceTypeKey(name), when: { version } }]);
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
  return [
    typeItem({ name, ...DEVICE_TYPE_DEFAULTS }, undefined),
    { check: namedKey("aliases", name), when: "absent" },
  ];
}

/** Throws `not_found`. */
async function getTypeItem(deps: Deps, name: string): Promise<Item<DeviceTypeRecord>> {
  const item = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(name));
  if (!item) throw new AppError("not_found", `there is no device type ${JSON.stringify(name)}`);
  return item;
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

async function viewOf(deps: Deps, type: DeviceTypeRecord): Promise<DeviceTypeView> {
  return {
    ...without(type, "permissions"),
    devices: await count(deps, "i2", `type-devices#${type.name}`),
    queued: await count(deps, "i2", `queue#${type.name}`),
  };
}

async function namesOf(deps: Deps, partition: string): Promise<string[]> {
  const { items } = await deps.table.query<{ hostname: string }>("i2", partition, { limit: 10 });
  return items.map(({ data }) => data.hostname);
}

/** Up to a hundred: whoever shows a hundred means "a hundred or more". */
async function count(deps: Deps, index: Index, partition: string): Promise<number> {
  const { items } = await deps.table.query(index, partition, { limit: 100 });
  return items.length;
}
