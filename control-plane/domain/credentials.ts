import type { PutPassword } from "#protocol/sign-in.ts";
import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import { credentialItem, type CredentialRecord } from "./credential-record.ts";
import type { Deps } from "./deps.ts";
import { credentialKey, tokenKey } from "./people-keys.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { beginAttempt, endAttempt } from "./sign-in-limits.ts";
import { endSessions } from "./sessions.ts";
import { findToken, makeToken } from "./tokens.ts";
import { findUser, newUser, userItem } from "./users.ts";

const LINK_SECONDS = 24 * 60 * 60;

/**
 * Gives a person another password and ends their sessions: their own with the current one, if they have any, or as an
 * administrator. Throws `not_found`, `forbidden`, `throttled`.
 */
export async function setPassword(
  deps: Deps,
  principal: Principal,
  name: string,
  { password, current, must_change }: PutPassword,
  address: string,
): Promise<void> {
  const user = requireUser(principal);
  const isOwn = user.name === name;
  if (!isOwn && !user.admin) throw new AppError("forbidden", "only an administrator may do this");
  if (isOwn) {
    await requireWhole(deps, user);
    await requireCurrent(deps, name, current, address);
  }
  await writePassword(deps, name, { password, must_change: must_change && !isOwn, who: user.name });
  await endSessions(deps, name, isOwn ? user.tokenId : undefined);
}

/**
 * For what opens another way in as the person who asks: of an administrator, a token that may not act as one would come to
 * more by it than it has. Throws `forbidden`.
 */
export async function requireWhole(deps: Deps, { name, admin }: User): Promise<void> {
  if (admin || !(await findUser(deps, name))?.data.admin) return;
  throw new AppError(
    "forbidden",
    "this token may not act as an administrator, who you are: use one that may, or a session that began with your password",
  );
}

/** A link by which a person chooses a password, once, within a day; for an administrator, or for oneself. */
export async function makePasswordLink(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<{ code: string; expires: string }> {
  const user = requireUser(principal);
  if (!user.admin) throw new AppError("forbidden", "only an administrator may do this");
  await requireKnown(deps, name);
  const { text, item } = passwordLink(deps, name);
  const change = { who: user.name, kind: "user", name } as const;
  const changed = { "password link": [null, "made"] } as Record<string, [null, string]>;
  await deps.table.transact([
    { put: item, when: "absent" },
    { put: changeItem(deps, { ...change, changed }), when: "absent" },
  ]);
  return { code: text, expires: new Date(item.expires ?? 0).toISOString() };
}

/** Chooses a password by a link's code, which is used up. @returns whose it is. Throws `unauthenticated`. */
export async function setPasswordByLink(
  deps: Deps,
  code: string,
  password: string,
): Promise<{ name: string }> {
  const link = await findToken(deps, code);
  if (link?.kind !== "password") throw notValid();
  const { subject: name } = link;
  const used: Operation = { delete: tokenKey(link.id), when: { version: 1 } };
  await writePassword(deps, name, { password, must_change: false, who: name, with: used });
  await endSessions(deps, name);
  return { name };
}

/** What came of a name and a password. `none`: the lab keeps no password of theirs. */
export type Checked = { is: "good" | "bad" | "none" } | { is: "must change"; code: string };

/**
 * Whether it is the person's password. It takes the same time for a name that nobody has. Of one who must change it, the
 * code of a link. The try is not counted here.
 */
export async function checkPassword(deps: Deps, name: string, password: string): Promise<Checked> {
  const item = await deps.table.get<CredentialRecord>(credentialKey(name));
  const good = await deps.system.isSlowHashOf(password, item?.data.hash ?? NOBODYS);
  if (!item) return { is: "none" };
  if (!good) return { is: "bad" };
  if (!item.data.must_change) return { is: "good" };
  const link = passwordLink(deps, name);
  await deps.table.transact([{ put: link.item, when: "absent" }]);
  return { is: "must change", code: link.text };
}

/** Whether the lab keeps a password of theirs. */
export const hasPassword = async ({ table }: Deps, name: string): Promise<boolean> =>
  (await table.get(credentialKey(name))) !== undefined;

/** Of a password that nobody knows: 32 random bytes. */
const NOBODYS =
  "$scrypt$ln=15,r=8,p=3$6WbDSMQpOAfUAf1eUUQVLQ$hPhl5h3QxVHhvTw8bGm1kVQm0bxu9XvHGq0YXk6pZ2M";

async function requireCurrent(
  deps: Deps,
  name: string,
  current: string | undefined,
  address: string,
): Promise<void> {
  const item = await deps.table.get<CredentialRecord>(credentialKey(name));
  if (!item) return;
  if (current === undefined)
    throw new AppError("invalid", "current: expected the password as it is");
  const attempt = { name: name.toLowerCase(), address };
  await beginAttempt(deps, attempt);
  if (!(await deps.system.isSlowHashOf(current, item.data.hash))) {
    throw new AppError("forbidden", "the current password is another one");
  }
  await endAttempt(deps, attempt);
}

async function writePassword(
  deps: Deps,
  name: string,
  options: { password: string; must_change: boolean; who: string; with?: Operation },
): Promise<void> {
  const { password, must_change, who } = options;
  if (password.toLowerCase().includes(name.toLowerCase()) && password.length < name.length + 8) {
    throw new AppError("invalid", "password: it is little more than the name; take another one");
  }
  const hash = await deps.system.slowHash(password);
  await retrying(async () => {
    const item = await deps.table.get<CredentialRecord>(credentialKey(name));
    const changed = new Date(deps.system.now()).toISOString();
    const record = { name, hash, changed, ...(must_change ? { must_change: true as const } : {}) };
    await deps.table
      .transact([
        ...(await makingKnown(deps, name, who)),
        { put: credentialItem(record), when: item ? { version: item.version } : "absent" },
        {
          put: changeItem(deps, {
            ...{ who, kind: "user", name },
            changed: {
              password: [item ? "set" : null, must_change ? "set, to be changed" : "set"],
            },
          }),
          when: "absent",
        },
        ...(options.with ? [options.with] : []),
      ])
      .catch(async (error: unknown) => {
        // A link that another one has used meanwhile never comes back.
        if (options.with && "delete" in options.with) {
          if (!(await deps.table.get(options.with.delete))) throw notValid();
        }
        throw error;
      });
  });
}

/** A record of one's own for who had only tokens; an administrator adds others first. */
async function makingKnown(deps: Deps, name: string, who: string): Promise<Operation[]> {
  if (await findUser(deps, name)) return [];
  if (who !== name) throw unknown(name);
  return [{ put: userItem(await newUser(deps, name, { source: "token" })), when: "absent" }];
}

async function requireKnown(deps: Deps, name: string): Promise<void> {
  if (!(await findUser(deps, name))) throw unknown(name);
}

const passwordLink = (deps: Deps, subject: string) =>
  makeToken(deps, {
    ...{ kind: "password", subject, admin: false, description: "password link" },
    expiresInSeconds: LINK_SECONDS,
  });

const unknown = (name: string) =>
  new AppError("not_found", `there is no user ${JSON.stringify(name)}: pumice users add ${name}`);

const notValid = () =>
  new AppError(
    "unauthenticated",
    "this link was used before or is older than a day; ask an administrator for a new one",
  );
