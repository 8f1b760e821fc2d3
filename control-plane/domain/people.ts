import {
  userName,
  type AddUser,
  type LabUser,
  type Me,
  type UserList,
  type UserView,
} from "#protocol/people.ts";
import { TableConflict } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { settleGroups } from "./groups.ts";
import { editChange } from "./changes.ts";
import { findClosed } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { namedPage, type PageRequest } from "./named-page.ts";
import { requireAdmin, requireUser, type Principal, type User } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { requireName } from "./require-name.ts";
import { retrying } from "./retrying.ts";
import { usersKnownKey } from "./people-keys.ts";
import { findUser, newUser, userItem, type UserRecord } from "./users.ts";

/** Users by name, a page of them. */
export async function listUsers(
  deps: Deps,
  principal: Principal,
  page: PageRequest = {},
): Promise<UserList> {
  requireAdmin(principal);
  await makeRecords(deps);
  const nameOf = ({ name }: UserRecord) => name;
  const { records, ...next } = await namedPage<UserRecord>(deps, "users", nameOf, page);
  return { users: records, ...next };
}

/** Anybody for an administrator, themself for others. Throws `not_found`. */
export async function getUser(deps: Deps, principal: Principal, name: string): Promise<UserView> {
  const user = requireUser(principal);
  const found = user.admin || user.name === name ? (await findUser(deps, name))?.data : undefined;
  if (found) return found;
  if (user.name === name) return newUser(deps, name, { source: "token" });
  throw noUser(name);
}

/** Who asks, and whether they may act as an administrator with the token that they ask with. */
export function whoAmI(principal: Principal): Me {
  const { name, admin, groups } = requireUser(principal);
  return { name, admin, groups: [...groups] };
}

/** Makes a user, who can't sign in yet: give them a token or a password. Throws `conflict` when there is one of this name. */
export async function addUser(
  deps: Deps,
  principal: Principal,
  { name, ...fields }: AddUser,
): Promise<UserView> {
  const admin = requireAdmin(principal);
  requireName(userName, name, "user");
  const user = await newUser(deps, name, { source: "added", ...given(fields) });
  try {
    await write(deps, admin, undefined, user);
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
    throw new AppError("conflict", `there is a user ${name} already`, { cause: error });
  }
  return user;
}

/**
 * Changes what is named of a user. One who is made inactive is refused at once, whatever they come with; their jobs wait.
 * Nobody does that to themself or gives up being an administrator: so there is always one. Throws `not_found`.
 */
export async function changeUser(
  deps: Deps,
  principal: Principal,
  name: string,
  fields: LabUser,
): Promise<UserView> {
  const admin = requireAdmin(principal);
  if (name === admin.name && (fields.admin === false || fields.active === false)) {
    const message =
      "you can't make yourself inactive or no administrator: another one has to do it";
    throw new AppError("conflict", message);
  }
  return retrying(async () => {
    await makeRecord(deps, name);
    const item = await findUser(deps, name);
    if (!item) throw noUser(name);
    const user: UserRecord = { ...item.data, ...given(fields) };
    await write(deps, admin, item.version, user, item.data);
    return user;
  });
}

/** Makes or changes a user of a lab as code. */
export async function putUser(
  deps: Deps,
  admin: User,
  name: string,
  fields: LabUser,
): Promise<void> {
  if (await findUser(deps, name)) await changeUser(deps, admin, name, fields);
  else await addUser(deps, admin, { name, ...fields });
}

/** All users as they are in a lab as code. */
export async function* readUsers(deps: Deps): AsyncGenerator<[name: string, user: LabUser]> {
  await makeRecords(deps);
  for await (const { data } of queryAll<UserRecord>(deps, "i1", "users")) {
    const { name, admin, active, email, full_name } = data;
    yield [name, { admin, active, email, full_name }];
  }
}

async function write(
  deps: Deps,
  { name: who }: User,
  version: number | undefined,
  user: UserRecord,
  before?: UserRecord,
): Promise<void> {
  await deps.table.transact([
    { put: userItem(user), when: version === undefined ? "absent" : { version } },
    ...editChange(deps, "user", user.name, [before, user], { who }),
  ]);
}

/** Those fields that are there. */
const given = (fields: LabUser): Partial<UserRecord> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

const noUser = (name: string): AppError =>
  new AppError("not_found", `there is no user ${JSON.stringify(name)}`);

/** An older version of Pumice kept users only as the subjects of tokens: each of them gets a record, once in a lab's life. */
async function makeRecords(deps: Deps): Promise<void> {
  // A lab that is closed for a move stands still.
  if ((await deps.table.get(usersKnownKey)) || (await findClosed(deps))) return;
  const names = new Set<string>();
  for await (const { data } of queryAll<{ kind: string; subject: string }>(deps, "i1", "tokens")) {
    if (data.kind === "user" || data.kind === "session") names.add(data.subject);
  }
  for (const name of names) await makeRecord(deps, name);
  await settleGroups(deps);
  await deps.table.transact([{ put: { key: usersKnownKey, data: {} } }]);
}

/** The record of one who has none and is known by a token. */
async function makeRecord(deps: Deps, name: string): Promise<void> {
  if (await findUser(deps, name)) return;
  const tokens = queryAll<{ kind: string; subject: string }>(deps, "i1", "tokens");
  for await (const { data } of tokens) {
    if (data.kind === "worker" || data.subject !== name) continue;
    const user = await newUser(deps, name, { source: "token" });
    try {
      await deps.table.transact([{ put: userItem(user), when: "absent" }]);
    } catch (error) {
      if (!(error instanceof TableConflict)) throw error;
    }
    return;
  }
}
