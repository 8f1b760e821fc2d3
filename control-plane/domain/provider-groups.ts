import type { GroupView } from "#protocol/api.ts";
import { groupName } from "#protocol/people.ts";
import * as v from "valibot";
import { changeItem, LAB } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { namedKey } from "./keys.ts";
import { namedItem } from "./named-items.ts";
import { retrying } from "./retrying.ts";
import { findUser, userItem } from "./users.ts";

/** A person is in so many groups of a provider at the most; what is beyond is left out. */
const MOST_GROUPS = 200;

/**
 * Makes a user a member of a provider's groups, and of no others of those whose names begin with the prefix. A group that is
 * not there is made; what no name here can have (`org/team`) becomes `-`.
 */
export async function setProviderGroups(
  deps: Deps,
  user: string,
  prefix: string,
  groups: readonly string[],
): Promise<void> {
  const wanted = groups
    .slice(0, MOST_GROUPS)
    .map((group) => prefix + group.replace(/^\/+/, "").replace(/[^\w.-]/g, "-"))
    .filter((group) => v.is(groupName, group));
  const before = (await findUser(deps, user))?.data.groups ?? [];
  for (const group of new Set(wanted)) {
    if (!before.includes(group)) await setMember(deps, user, group, true);
  }
  for (const group of before) {
    if (group.startsWith(prefix) && !wanted.includes(group))
      await setMember(deps, user, group, false);
  }
}

/** Writes both sides of it, the group's members and the user's groups, in one transaction. */
async function setMember(deps: Deps, user: string, group: string, isIn: boolean): Promise<void> {
  await retrying(async () => {
    const item = await deps.table.get<GroupView>(namedKey("groups", group));
    const person = await findUser(deps, user);
    if (!person) return;
    const { members, ...rest } = item?.data ?? { name: group, description: "", members: [] };
    const others = members.filter((member) => member !== user);
    const groups = person.data.groups.filter((one) => one !== group);
    const now = { ...rest, members: isIn ? [...others, user] : others };
    const after = { ...person.data, groups: isIn ? [...groups, group].toSorted() : groups };
    const changed: Record<string, [string | null, string | null]> = {
      [`member ${user}`]: isIn ? [null, "member"] : ["member", null],
    };
    const reason = "as the sign-in provider says";
    const change = changeItem(deps, { who: LAB, kind: "group", name: group, changed, reason });
    await deps.table.transact([
      { put: namedItem("groups", now), when: item ? { version: item.version } : "absent" },
      { put: userItem(after), when: { version: person.version } },
      { put: change, when: "absent" },
    ]);
  });
}
