import * as v from "valibot";
import type { Lab, LabSection } from "#protocol/lab.ts";
import { groupName, type Grants, type Permission } from "#protocol/people.ts";
import { ClientError } from "../client.ts";
import type { Asking } from "./asking.ts";
import type { LavaRead } from "./lava-client.ts";

/** What LAVA calls a permission on an object (SCHEDULER.md 5), after which comes what the object is. */
const PERMISSIONS: readonly [prefix: string, permission: Permission][] = [
  ["view_", "view"],
  ["submit_to_", "submit"],
  ["change_", "change"],
];
const lavaPermission = v.object({
  group: v.string(),
  permission: v.string(),
  device: v.optional(v.string()),
  devicetype: v.optional(v.string()),
});
const page = v.object({ next: v.nullish(v.string()), results: v.array(lavaPermission) });
const devicePage = v.object({
  next: v.nullish(v.string()),
  results: v.array(
    v.object({
      hostname: v.string(),
      physical_owner: v.nullish(v.union([v.number(), v.string()])),
      physical_group: v.nullish(v.union([v.number(), v.string()])),
    }),
  ),
});
const PAGE = 500;
const MAX_PAGES = 200;

/**
 * Who may use what: the permissions of devices and device types, which a LAVA tells over REST to its superusers, and whom a
 * device belongs to. The groups are made without members, as LAVA does not tell those. Changes `lab`.
 */
export async function addPermissions(lava: Asking, read: LavaRead, lab: Lab): Promise<void> {
  const groups = new Set<string>();
  for (const [section, path] of [
    ["devices", "/permissions/devices/"],
    ["device_types", "/permissions/devicetypes/"],
  ] as const) {
    for (const one of await pages(lava, read, section, path, page)) {
      const name = one.device ?? one.devicetype ?? "";
      const granted = grantOf(lava, section, name, one);
      const thing = ownOf<{ permissions?: Grants | undefined }>(lab[section], name);
      if (!thing || granted === undefined) continue;
      thing.permissions = withGrant(thing.permissions ?? {}, granted, one.group);
      groups.add(one.group);
    }
  }
  for (const device of await pages(lava, read, "devices", "/devices/", devicePage)) {
    addOwner(lava, lab, device);
  }
  if (groups.size === 0) return;
  const without = { description: "", members: [] };
  lab.groups = Object.fromEntries([...groups].map((name) => [name, { ...without }]));
  const message = `made without members, as LAVA does not tell them: write them into groups.yaml`;
  lava.warn("groups", [...groups].toSorted().join(", "), message);
}

/** Our permission; undefined, with a warning, for one that there is none of here. */
function grantOf(
  lava: Asking,
  section: LabSection,
  name: string,
  { group, permission }: v.InferOutput<typeof lavaPermission>,
): Permission | undefined {
  const what = section === "devices" ? "device" : "devicetype";
  const found = PERMISSIONS.find(([prefix]) => permission === `${prefix}${what}`)?.[1];
  if (found !== undefined && v.is(groupName, group)) return found;
  lava.warn(section, name, `left out: permission ${permission} of group ${JSON.stringify(group)}`);
  return undefined;
}

const withGrant = (grants: Grants, permission: Permission, group: string): Grants => ({
  ...grants,
  [permission]: [...new Set([...(grants[permission] ?? []), group])].toSorted((a, b) =>
    a < b ? -1 : 1,
  ),
});

/** Not what every object has: names are whatever that LAVA says. */
const ownOf = <T>(things: Record<string, T> | undefined, name: string): T | undefined =>
  things && Object.hasOwn(things, name) ? things[name] : undefined;

/** Versions differ in whether they name somebody or give a number, which says nothing elsewhere. */
function addOwner(
  lava: Asking,
  lab: Lab,
  { hostname, ...owners }: v.InferOutput<typeof devicePage>["results"][number],
): void {
  const device = ownOf(lab.devices, hostname);
  if (!device) return;
  for (const field of ["physical_owner", "physical_group"] as const) {
    const owner = owners[field];
    if (typeof owner === "string") device[field] ??= owner.slice(0, 200);
    if (typeof owner !== "number" || device[field] !== undefined) continue;
    const message = `its ${field} is number ${owner} of that LAVA, which does not tell the name: pumice devices set ${hostname} ${field === "physical_owner" ? "--owner" : "--group"} NAME`;
    lava.warn("devices", hostname, message);
  }
}

/** All of a list; none, with a warning, where LAVA refuses it. */
async function pages<T>(
  lava: Asking,
  read: LavaRead,
  section: LabSection,
  path: string,
  schema: v.GenericSchema<unknown, { next?: string | null | undefined; results: T[] }>,
): Promise<T[]> {
  const found: T[] = [];
  for (let at = 0; at < MAX_PAGES; at++) {
    let answer: unknown;
    try {
      answer = await read(`${path}?limit=${PAGE}&offset=${at * PAGE}`);
    } catch (error) {
      if (!(error instanceof ClientError) || error.status === undefined) throw error;
      const hint = error.status === 403 ? ": it tells them to superusers only" : "";
      lava.warn(section, "", `${path} can't be read (HTTP ${error.status})${hint}`);
      return found;
    }
    const { success, output, issues } = v.safeParse(schema, answer);
    if (!success) {
      const where = v.getDotPath(issues[0]) ?? "its answer";
      throw new ClientError(`${path}: ${where}: ${issues[0].message}: is this a LAVA?`);
    }
    found.push(...output.results);
    if (!output.next) break;
  }
  return found;
}
