import type { DeviceTypeView } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";

/** All device types by name, with how many devices each has and how many jobs wait. */
export async function listDeviceTypes(
  deps: Deps,
  principal: Principal,
): Promise<{ device_types: DeviceTypeView[] }> {
  requireUser(principal);
  const device_types: DeviceTypeView[] = [];
  for await (const { data } of queryAll<{ name: string }>(deps, "i1", "device-types")) {
    device_types.push({
      name: data.name,
      devices: await count(deps, `type-devices#${data.name}`),
      queued: await count(deps, `queue#${data.name}`),
    });
  }
  return { device_types };
}

/** Names of all device types. */
export async function deviceTypeNames(deps: Deps): Promise<string[]> {
  const names: string[] = [];
  for await (const { data } of queryAll<{ name: string }>(deps, "i1", "device-types")) {
    names.push(data.name);
  }
  return names;
}

async function count(deps: Deps, partition: string): Promise<number> {
  let found = 0;
  let cursor: string | undefined;
  do {
    const page = await deps.table.query("i2", partition, {
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    found += page.items.length;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}
