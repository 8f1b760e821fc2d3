import type { DeviceTypeView, DeviceView, WorkerView } from "#protocol/api.ts";
import type { AliasView, TagView } from "#protocol/lab-lists.ts";
import type { Deps } from "../domain/deps.ts";
import type { Principal } from "../domain/principal.ts";

/** LAVA's lists come whole: pages are put together, up to so many. A lab has fewer, and an answer has to end. */
const MOST_PAGES = 100;

/** Who asks, and of which lab. */
interface Asking {
  readonly deps: Deps;
  readonly principal: Principal;
}

/** A list whose pages a rule gives, as a whole. */
export async function every<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; next_cursor?: string | undefined }>,
): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const { items, next_cursor } = await page(cursor);
    all.push(...items);
    cursor = next_cursor;
    if (cursor === undefined) break;
  }
  return all;
}

/** The devices that the caller may see, by name. */
export async function everyDevice({ deps, principal }: Asking): Promise<DeviceView[]> {
  const { listDevices } = await import("../domain/devices.ts");
  return every(async (cursor) => {
    const { devices: items, ...rest } = await listDevices(deps, principal, { limit: 500, cursor });
    return { items, ...rest };
  });
}

/** LAVA's oldest lists leave these out. */
export const isInUse = ({ health }: DeviceView): boolean => health !== "Retired";

export async function everyDeviceType({ deps, principal }: Asking): Promise<DeviceTypeView[]> {
  const { listDeviceTypes } = await import("../domain/device-types.ts");
  return every(async (cursor) => {
    const page = await listDeviceTypes(deps, principal, { limit: 500, cursor });
    const { device_types: items, ...rest } = page;
    return { items, ...rest };
  });
}

export async function everyWorker({ deps, principal }: Asking): Promise<WorkerView[]> {
  const { listWorkers } = await import("../domain/workers.ts");
  return every(async (cursor) => {
    const { workers: items, ...rest } = await listWorkers(deps, principal, { limit: 500, cursor });
    return { items, ...rest };
  });
}

export async function everyAlias({ deps, principal }: Asking): Promise<AliasView[]> {
  const { listAliases } = await import("../domain/aliases.ts");
  return (await listAliases(deps, principal)).aliases;
}

/** Those that are described, and those that a device has. */
export async function everyTag(call: Asking): Promise<(TagView & { devices: string[] })[]> {
  const { listTags } = await import("../domain/tags.ts");
  const tags = new Map<string, TagView & { devices: string[] }>();
  for (const tag of (await listTags(call.deps, call.principal)).tags) {
    tags.set(tag.name, { ...tag, devices: [] });
  }
  for (const { hostname, tags: has } of await everyDevice(call)) {
    for (const name of has) {
      const tag = tags.get(name) ?? { name, description: "", devices: [] };
      tag.devices.push(hostname);
      tags.set(name, tag);
    }
  }
  return [...tags.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
