import type { UserView } from "#protocol/people.ts";
import type { GroupView } from "#protocol/lab-lists.ts";
import type { NewItem } from "../ports/table.ts";
import type { Item } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { namedKey } from "./keys.ts";
import { userKey } from "./people-keys.ts";
import { queryAll } from "./query-all.ts";

/** A person of the lab. How they sign in stands elsewhere: tokens, and a credential of their own. */
export interface UserRecord extends UserView {
  /** Groups that have them as a member; written with the groups. */
  groups: string[];
}

/** What a rule must know of a person. */
export interface UserAccess {
  readonly name: string;
  readonly admin: boolean;
  /** False: nothing that is theirs is good any more, until they are made active again. */
  readonly active: boolean;
  readonly groups: readonly string[];
}

export const userItem = (user: UserRecord): NewItem => ({
  key: userKey(user.name),
  data: user,
  keys: { i1: { partition: "users", sort: user.name } },
});

export const findUser = (
  { table }: Pick<Deps, "table">,
  name: string,
): Promise<Item<UserRecord> | undefined> => table.get<UserRecord>(userKey(name));

/**
 * A person by their name, as they are now. Of whom an older version of Pumice knew only tokens and groups, it is found out
 * from those: that reads them all, until the person has a record.
 */
export async function userAccess(deps: Pick<Deps, "table">, name: string): Promise<UserAccess> {
  const user = (await findUser(deps, name))?.data;
  if (user) return user;
  return {
    name,
    active: true,
    admin: await hasAdminToken(deps, name),
    groups: await groupsNaming(deps, name),
  };
}

/** The record of somebody who has none yet; what an older version knew of them is kept. */
export async function newUser(
  deps: Pick<Deps, "table" | "system">,
  name: string,
  {
    admin = false,
    ...fields
  }: Partial<Omit<UserRecord, "name" | "groups" | "created">> & { source: string },
): Promise<UserRecord> {
  const known = await userAccess(deps, name);
  return {
    name,
    admin: admin || known.admin,
    active: true,
    email: "",
    full_name: "",
    groups: [...known.groups],
    created: new Date(deps.system.now()).toISOString(),
    ...fields,
  };
}

/** Names of the groups that name somebody, by the groups themselves. */
export async function groupsNaming(deps: Pick<Deps, "table">, name: string): Promise<string[]> {
  const groups: string[] = [];
  const { partition } = namedKey("groups", "");
  for await (const { data } of queryAll<GroupView>(deps, "main", partition)) {
    if (data.members.includes(name)) groups.push(data.name);
  }
  return groups;
}

async function hasAdminToken(deps: Pick<Deps, "table">, name: string): Promise<boolean> {
  for await (const { data } of queryAll<{ kind: string; subject: string; admin: boolean }>(
    deps,
    "i1",
    "tokens",
  )) {
    if (data.kind === "user" && data.subject === name && data.admin) return true;
  }
  return false;
}
