import { readYaml } from "#protocol/read-yaml.ts";
import { asMapping } from "#protocol/schema-parts.ts";
import { writeYaml } from "#protocol/write-yaml.ts";
import type { GroupMember, GroupRecord } from "./group-record.ts";
import { rolesOf } from "./group-roles.ts";
import { without } from "./without.ts";

type Mapping = Record<string, unknown>;

/** What each job of a group has of what stands at the top of the multinode job (MULTINODE.md 1). */
const SHARED = [
  "job_name",
  "timeouts",
  "priority",
  "visibility",
  "notify",
  "metadata",
  "reboot_to_fastboot",
  "secrets",
];
/** What a role says that stands at the top of its jobs. */
const OF_ROLE = ["device_type", "connection", "host_role", "context"];

/**
 * The definition of one job of a multinode group, as LAVA's server makes it of the one that was submitted (MULTINODE.md 1): that of
 * a single job, with the group's id and the roles of all members that have devices under `protocols`.
 */
export function memberText(
  submitted: string,
  group: Pick<GroupRecord, "id" | "members">,
  { sub_id, role }: GroupMember,
): string {
  const job = asMapping(readYaml(submitted).value) ?? {};
  const protocols = asMapping(job["protocols"]) ?? {};
  const protocol = asMapping(protocols["lava-multinode"]) ?? {};
  const entry = asMapping(asMapping(protocol["roles"])?.[role]) ?? {};
  const withDevices = group.members.filter(({ host_job }) => host_job === undefined);
  return writeYaml({
    ...only(job, SHARED),
    ...only(entry, OF_ROLE),
    protocols: {
      ...protocols,
      "lava-multinode": {
        ...without(protocol, "roles"),
        ...without(entry, ...OF_ROLE, "count"),
        target_group: group.id,
        role,
        group_size: group.members.length,
        sub_id,
        roles: Object.fromEntries(withDevices.map((one) => [one.job_id, one.role])),
      },
    },
    actions: actionsOf(job, role),
  });
}

/** Each says for whom it is, which is now one. */
const actionsOf = (job: Mapping, role: string): Mapping[] =>
  (Array.isArray(job["actions"]) ? job["actions"] : [])
    .filter((action: object) => rolesOf(action).includes(role))
    .map((action: Mapping) =>
      Object.fromEntries(
        Object.entries(action).map(([kind, block]) => [kind, { ...asMapping(block), role }]),
      ),
    );

const only = (from: Mapping, keys: readonly string[]): Mapping =>
  Object.fromEntries(keys.flatMap((key) => (Object.hasOwn(from, key) ? [[key, from[key]]] : [])));
