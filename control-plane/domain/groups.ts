import type { GroupView } from "#protocol/lab-lists.ts";
import type { LabGroup } from "#protocol/lab.ts";
import { groupName, userName } from "#protocol/people.ts";
import type { Item, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { editChange, removal, type By } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { namedKey } from "./keys.ts";
import { listNamed, namedItem } from "./named-items.ts";
import { requireAdmin, requireUser, type Principal } from "./principal.ts";
import { requireName } from "./require-name.ts";
import { retrying } from "./retrying.ts";
import { findUser, newUser, userItem } from "./users.ts";

/** Most memberships that one transaction changes: each is a user's record. */
const AT_A_TIME = 40;

/** All groups by name for an administrator, for others those that they are in. */
export async function listGroups(
  deps: Deps,
  principal: Principal,
): Promise<{ groups: GroupView[] }> {
  const user = requireUser(principal);
  const groups = await listNamed<GroupView>(deps, "groups");
  return { groups: groups.filter(({ name }) => user.admin || user.groups.includes(name)) };
}

/** Makes or replaces a group of users. Somebody who is named and not known yet gets a record. */
export async function putGroup(
  deps: Deps,
  principal: Principal,
  name: string,
  { description, members }: LabGroup,
): Promise<GroupView> {
  const { name: who } = requireAdmin(principal);
  requireName(groupName, name, "group");
  for (const member of members) requireName(userName, member, "user");
  const group: GroupView = { name, description, members: [...new Set(members)] };
  await writeGroup(deps, name, () => group, { who });
  return group;
}

/** Puts somebody into a group or takes them out of it. Throws `not_found` when there is no such group. */
export async function setMember(
  deps: Deps,
  principal: Principal,
  { group: name, user, isMember }: { group: string; user: string; isMember: boolean },
): Promise<GroupView> {
  const { name: who } = requireAdmin(principal);
  requireName(userName, user, "user");
  const change = (old: GroupView | undefined): GroupView => {
    if (!old) throw noGroup(name);
    return withMember(old, user, isMember);
  };
  await writeGroup(deps, name, change, { who });
  return (await findGroup(deps, name))?.data ?? change(undefined);
}

/** Its members have it no more, and what was granted to it is granted to nobody, until there is a group of this name again. Throws `not_found`. */
export async function removeGroup(deps: Deps, principal: Principal, name: string): Promise<void> {
  const { name: who } = requireAdmin(principal);
  if (!(await findGroup(deps, name))) throw noGroup(name);
  await writeGroup(deps, name, () => undefined, { who });
}

/**
 * Makes somebody a member of exactly these among the groups whose names begin with a prefix; for a sign-in provider that says
 * who is in which group. A group that is not there is made.
 */
export async function setGroupsOf(
  deps: Deps,
  user: string,
  { prefix, groups }: { prefix: string; groups: readonly string[] },
  by: By,
): Promise<void> {
  const wanted = new Set(groups);
  const now = (await findUser(deps, user))?.data.groups ?? [];
  const left = now.filter((name) => name.startsWith(prefix) && !wanted.has(name));
  for (const name of [...left, ...[...wanted].filter((one) => !now.includes(one))]) {
    requireName(groupName, name, "group");
    const empty: GroupView = { name, description: "", members: [] };
    const change = (old = empty): GroupView => withMember(old, user, wanted.has(name));
    await writeGroup(deps, name, change, by);
  }
}

function withMember(group: GroupView, user: string, isMember: boolean): GroupView {
  const others = group.members.filter((member) => member !== user);
  return { ...group, members: isMember ? [...others, user] : others };
}

const findGroup = ({ table }: Deps, name: string): Promise<Item<GroupView> | undefined> =>
  table.get<GroupView>(namedKey("groups", name));

const noGroup = (name: string): AppError =>
  new AppError("not_found", `there is no group ${JSON.stringify(name)}`);

/**
 * Makes a group what `change` says of what it is; undefined removes it. The group and its members' records agree after each
 * transaction; of a large change there are several, and one that was cut off can be made again.
 */
async function writeGroup(
  deps: Deps,
  name: string,
  change: (old: GroupView | undefined) => GroupView | undefined,
  by: By,
): Promise<void> {
  for (let isDone = false; !isDone;) {
    isDone = await retrying(() => writeSome(deps, name, change, by));
  }
}

async function writeSome(
  deps: Deps,
  name: string,
  change: (old: GroupView | undefined) => GroupView | undefined,
  by: By,
): Promise<boolean> {
  const item = await findGroup(deps, name);
  const old = item?.data;
  const wanted = change(old);
  const [before, after] = [old?.members ?? [], wanted?.members ?? []];
  const joining = after.filter((member) => !before.includes(member));
  const leaving = before.filter((member) => !after.includes(member));
  const some = [...joining, ...leaving].slice(0, AT_A_TIME);
  const isLast = some.length === joining.length + leaving.length;
  const members = isLast
    ? after
    : [...before, ...joining.filter((one) => some.includes(one))].filter(
        (one) => !(leaving.includes(one) && some.includes(one)),
      );
  const group: GroupView = { ...(wanted ?? old), name, description: "", members } as GroupView;
  group.description = (wanted ?? old)?.description ?? "";
  const when = item ? { version: item.version } : ("absent" as const);
  const isGone = isLast && !wanted;
  const written: Operation[] = isGone
    ? [
        { delete: namedKey("groups", name), ...(item ? { when } : {}) },
        ...removal(deps, "group", name, old ?? {}, { name: by.who }),
      ]
    : [
        { put: namedItem("groups", group), when },
        ...editChange(deps, "group", name, [old, group], by),
      ];
  const users = await Promise.all(
    some.map((member) => membership(deps, member, name, joining.includes(member))),
  );
  await deps.table.transact([...written, ...users]);
  return isLast;
}

/** A user's record with or without a group. */
async function membership(
  deps: Deps,
  user: string,
  group: string,
  isMember: boolean,
): Promise<Operation> {
  const item = await findUser(deps, user);
  const record = item?.data ?? (await newUser(deps, user, { source: "group" }));
  const others = record.groups.filter((name) => name !== group);
  const groups = isMember ? [...others, group].toSorted() : others;
  return {
    put: userItem({ ...record, groups }),
    when: item ? { version: item.version } : "absent",
  };
}

/** Groups of an older version stand in no record of a user: those of today say whose members they have. */
export async function settleGroups(deps: Deps): Promise<void> {
  for (const group of await listNamed<GroupView>(deps, "groups")) {
    for (const member of group.members) {
      const user = (await findUser(deps, member))?.data;
      if (user?.groups.includes(group.name)) continue;
      await retrying(async () => {
        const operation = await membership(deps, member, group.name, true);
        await deps.table.transact([operation]);
      });
    }
  }
}
