import * as v from "valibot";
import { groupName, userName } from "#protocol/people.ts";
import type { PeopleOfProvider } from "#protocol/sign-in.ts";
import type { Item, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem, LAB } from "./changes.ts";
import { setGroupsOf } from "./groups.ts";
import { hasPassword } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { identityItem, type IdentityRecord } from "./identity-record.ts";
import { identityKey } from "./people-keys.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { findUser, newUser, userItem, type UserRecord } from "./users.ts";

/** What a provider says of somebody who has just proved to it who they are. */
export interface ProviderPerson {
  /** With the subject: who it is, for ever. */
  readonly issuer: string;
  readonly subject: string;
  /** What they are called there; good for a new user's name, and for nothing else. */
  readonly name: string;
  /** Only when the provider vouches for it. */
  readonly email?: string | undefined;
  readonly full_name?: string | undefined;
  /** By their names there. */
  readonly groups: readonly string[];
}

/**
 * The user whom a provider's person is: the one who is linked with issuer and subject, or at the first time a new one. A
 * name or a mail address links nobody. Throws `unauthenticated`, saying what an administrator can do about it.
 */
export async function admitPerson(
  deps: Deps,
  provider: PeopleOfProvider,
  person: ProviderPerson,
): Promise<UserRecord> {
  const { allowed_groups: allowed, group_prefix: prefix } = provider;
  if (allowed && !allowed.some((group) => person.groups.includes(group))) {
    throw refused(`only members of certain groups of ${provider.name} may sign in here`);
  }
  const user = await retrying(async () => {
    const found = await findIdentity(deps, person);
    return await (found
      ? refresh(deps, provider, person, found.user)
      : welcome(deps, provider, person));
  });
  if (prefix !== undefined) {
    const groups = groupNames(prefix, person.groups);
    const by = { who: LAB, reason: `${provider.name} says so` };
    await setGroupsOf(deps, user.name, { prefix, groups }, by);
  }
  if (!user.active) throw refused(`${user.name} may not sign in now; ask an administrator`);
  return user;
}

/** Links a person of a provider with somebody who is signed in. Throws `conflict` when they are another user's. */
export async function linkPerson(
  deps: Deps,
  provider: PeopleOfProvider,
  person: ProviderPerson,
  name: string,
): Promise<void> {
  const found = await findIdentity(deps, person);
  if (found?.user === name) return;
  if (found) {
    throw new AppError("conflict", `this account of ${provider.name} is linked with another user`);
  }
  await retrying(async () => {
    const item = await findUser(deps, name);
    const user = item?.data ?? (await newUser(deps, name, { source: "token" }));
    await deps.table.transact([
      { put: userItem(user), when: item ? { version: item.version } : "absent" },
      ...linking(deps, provider, person, name, name),
    ]);
  });
}

const findIdentity = async (
  deps: Deps,
  person: ProviderPerson,
): Promise<IdentityRecord | undefined> =>
  (await deps.table.get<IdentityRecord>(identityKey(identityHash(deps, person))))?.data;

/** Somebody who has been here: what the provider says of them now. */
async function refresh(
  deps: Deps,
  provider: PeopleOfProvider,
  person: ProviderPerson,
  name: string,
): Promise<UserRecord> {
  const item = await findUser(deps, name);
  if (!item) throw refused(`the user ${name} of this account is no more; ask an administrator`);
  const user = { ...item.data, ...saidOf(provider, person) };
  const losesAdmin = item.data.admin && !user.admin;
  const other = losesAdmin ? await otherAdmin(deps, item.data) : undefined;
  if (losesAdmin && !other) user.admin = true;
  const isAsBefore = JSON.stringify(user) === JSON.stringify(item.data);
  if (isAsBefore) return user;
  await deps.table.transact([
    { put: userItem(user), when: { version: item.version } },
    ...(other ? [{ check: other.key, when: { version: other.version } }] : []),
    ...adminChange(deps, provider, item.data, user),
  ]);
  return user;
}

/**
 * Who is an administrator when somebody is one no more: of one whom the lab itself made, another such, as no provider may take
 * the last one who needs none of them.
 */
async function otherAdmin(
  deps: Deps,
  { name, source }: UserRecord,
): Promise<Item<UserRecord> | undefined> {
  const isOwn = isLabs(source);
  for await (const { data } of queryAll<UserRecord>(deps, "i1", "users")) {
    if (data.name === name || (isOwn && !isLabs(data.source))) continue;
    // The list may lag.
    const item = await findUser(deps, data.name);
    if (item?.data.admin && item.data.active) return item;
  }
  return undefined;
}

/** Somebody for the first time. */
async function welcome(
  deps: Deps,
  provider: PeopleOfProvider,
  person: ProviderPerson,
): Promise<UserRecord> {
  const { name } = person;
  if (!v.safeParse(userName, name).success) {
    throw refused(
      `the name ${JSON.stringify(name.slice(0, 100))} of ${provider.name} can't be a user's here`,
    );
  }
  const item = await findUser(deps, name);
  const source = provider.name;
  const said = saidOf(provider, person);
  if (item || (await isKnown(deps, name))) {
    const before = item?.data ?? (await newUser(deps, name, { source: "token" }));
    if (!provider.adopt_users || !(await isAdoptable(deps, before))) {
      throw refused(
        `there is another user ${name} here: sign in as that user and link the account of ${provider.name}, or ask an administrator`,
      );
    }
    const user = { ...before, ...said, source };
    await deps.table.transact([
      { put: userItem(user), when: item ? { version: item.version } : "absent" },
      ...adminChange(deps, provider, before, user),
      ...linking(deps, provider, person, name, name),
    ]);
    return user;
  }
  if (!provider.create_users) {
    throw refused(`${provider.name} knows you, this lab does not; ask an administrator to add you`);
  }
  const user = { ...(await newUser(deps, name, { source })), ...said };
  const changed: Record<string, [null, string]> = { source: [null, source] };
  if (user.admin) changed["admin"] = [null, "true"];
  await deps.table.transact([
    { put: userItem(user), when: "absent" },
    ...linking(deps, provider, person, name, name, changed),
  ]);
  return user;
}

/** With `admin_groups` the provider says who is an administrator. */
function saidOf(
  { admin_groups: admins }: PeopleOfProvider,
  { email, full_name, groups }: ProviderPerson,
): Partial<UserRecord> {
  return {
    ...(email === undefined ? {} : { email: email.slice(0, 200) }),
    ...(full_name === undefined ? {} : { full_name: full_name.slice(0, 200) }),
    ...(admins ? { admin: admins.some((group) => groups.includes(group)) } : {}),
  };
}

/** Nobody comes into an administrator's place, or into that of somebody with a password or another account, by a name. */
const isAdoptable = async (deps: Deps, { name, admin, active, source }: UserRecord) =>
  active && !admin && OWN_SOURCES.includes(source) && !(await hasPassword(deps, name));
const OWN_SOURCES: readonly string[] = ["added", "token", "group", "lava"];
const isLabs = (source: string): boolean => source === "first" || OWN_SOURCES.includes(source);

/** An older version kept no records of users: their tokens and groups are what there is of them. */
async function isKnown(deps: Deps, name: string): Promise<boolean> {
  for await (const { data } of queryAll<{ kind: string; subject: string }>(deps, "i1", "tokens")) {
    if (data.kind === "user" && data.subject === name) return true;
  }
  return (await newUser(deps, name, { source: "" })).groups.length > 0;
}

/** What is to be written when an account becomes a user's. */
export function linking(
  deps: Deps,
  provider: Pick<PeopleOfProvider, "name">,
  person: ProviderPerson,
  user: string,
  who: string,
  more: Record<string, [null, string]> = {},
): Operation[] {
  const { issuer, subject } = person;
  const hash = identityHash(deps, person);
  const created = new Date(deps.system.now()).toISOString();
  const record = { hash, provider: provider.name, issuer, subject, user, created };
  const account = `${issuer} ${subject}`.slice(0, 500);
  const changed: Record<string, [null, string]> = { ...more, account: [null, account] };
  return [
    { put: identityItem(record), when: "absent" },
    { put: changeItem(deps, { who, kind: "user", name: user, changed }), when: "absent" },
  ];
}

function adminChange(
  deps: Deps,
  { name: provider }: PeopleOfProvider,
  before: UserRecord,
  { name, admin }: UserRecord,
): Operation[] {
  if (before.admin === admin) return [];
  const changed: Record<string, [string, string]> = {
    admin: [String(before.admin), String(admin)],
  };
  const reason = `groups of ${provider}`;
  return [
    { put: changeItem(deps, { who: name, kind: "user", name, changed, reason }), when: "absent" },
  ];
}

/** A person is in so many groups of a provider at the most; what is beyond is left out. */
const MOST_GROUPS = 200;

/**
 * Names here of a provider's groups: `org/team` is `org..team`, which no other path becomes. Were it `org-team`, whoever may
 * make a group of that name there would be let in here as a member of `org/team`. What else no name can have becomes `-`.
 */
const groupNames = (prefix: string, groups: readonly string[]): string[] =>
  groups
    .slice(0, MOST_GROUPS)
    .map((group) => prefix + group.replace(/^\/+/, "").split("/").map(plainPart).join(".."))
    .filter((group) => v.safeParse(groupName, group).success);

/** Without dots where they could be taken for those between two parts. */
const plainPart = (part: string): string =>
  part.replace(/[^\w.-]/g, "-").replace(/^\.+|\.+$|\.{2,}/g, (dots) => "-".repeat(dots.length));

/** Names an account: by who vouches for it and who it is there. */
export const identityHash = ({ system }: Deps, { issuer, subject }: ProviderPerson): string =>
  system.hash(`identity ${JSON.stringify([issuer, subject])}`);

const refused = (message: string) => new AppError("unauthenticated", message);
