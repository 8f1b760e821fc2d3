import type { Scope } from "#protocol/sign-in.ts";
import { TableConflict, type Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import { checkPassword, type Checked } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { tokenKey } from "./people-keys.ts";
import { labSettings } from "./lab-settings.ts";
import { requireUser, type Principal } from "./principal.ts";
import { beginAttempt, endAttempt } from "./sign-in-limits.ts";
import { findToken, isRooted, makeToken, noteUseOf, ownerOf, type TokenRecord } from "./tokens.ts";
import { findUser } from "./users.ts";

const LINK_SECONDS = 10 * 60;

/** A browser that is signed in. */
export interface Session {
  readonly token: string;
  /** Its longest life. */
  readonly seconds: number;
}

/** Where somebody signs in from. */
export interface From {
  readonly address: string;
  /** What their browser calls itself, for their own list of sessions. */
  readonly browser: string;
}

/** A code that signs a browser in as the user who asks, once, within ten minutes. It may no more than their token, and no longer. */
export async function makeSignInLink(
  deps: Deps,
  principal: Principal,
): Promise<{ code: string; expires: string }> {
  const { name: subject, admin, scopes, tokenId } = requireUser(principal);
  const asking = (await deps.table.get<TokenRecord>(tokenKey(tokenId)))?.data;
  const own = asking?.expires;
  const root = asking?.kind === "user" ? asking.id : asking?.made_of;
  const { text, item } = makeToken(deps, {
    kind: "sign-in",
    subject,
    admin,
    scopes,
    description: "sign-in link",
    ...(own === undefined ? {} : { session_until: own }),
    ...(root === undefined ? {} : { made_of: root }),
    expiresInSeconds: LINK_SECONDS,
  });
  await deps.table.transact([{ put: item, when: "absent" }]);
  const expires = new Date(item.expires ?? deps.system.now()).toISOString();
  return { code: text, expires };
}

/** Trades a code for a session. Throws `unauthenticated` when it is used up, too old or not ours. */
export async function redeemSignIn(deps: Deps, code: string, from: From): Promise<Session> {
  const link = await findToken(deps, code);
  if (link?.kind !== "sign-in" || !(await isRooted(deps, link))) throw notValid();
  try {
    const used = { delete: tokenKey(link.id), when: { version: 1 } };
    const who = { ...link, how: "link", until: link.session_until };
    return await startSession(deps, who, from, [used]);
  } catch (error) {
    if (error instanceof TableConflict) throw notValid();
    throw error;
  }
}

/** Trades a person's token for a session that may no more than it, and no longer. Throws `unauthenticated` for any other text. */
export async function signInWithToken(deps: Deps, token: string, from: From): Promise<Session> {
  const found = await findToken(deps, token);
  if (found?.kind !== "user" || !(await ownerOf(deps, found))) {
    throw new AppError("unauthenticated", "this is not a valid token of a person");
  }
  const who = { ...found, how: "token", until: found.expires, made_of: found.id };
  return await startSession(deps, who, from);
}

/** Who a name and a password belong to elsewhere; undefined when they are not good there. */
export type AskElsewhere = (
  name: string,
  password: string,
) => Promise<{ name: string } | undefined>;

/**
 * Signs in whom a name and a password belong to: the lab's own password when it keeps one, or else what `elsewhere` says. Of
 * who must change the password, the code of a link to do it. Throws `unauthenticated` with one sentence for whatever is
 * wrong, and `throttled`.
 */
export async function signInWithPassword(
  deps: Deps,
  { name, password }: { name: string; password: string },
  from: From,
  elsewhere: AskElsewhere,
): Promise<Session | { mustChange: string }> {
  if (name === "" || name.length > 256 || password === "" || password.length > 256) throw wrong();
  // A directory takes a name in any case: all of them are one person's.
  const attempt = { name: name.toLowerCase(), address: from.address };
  await beginAttempt(deps, attempt);
  const { passwords } = (await labSettings(deps)).sign_in;
  // Where the lab's own passwords are switched off, those who have one are the directory's, too.
  const checked = passwords ? await checkPassword(deps, name, password) : NOT_KEPT;
  let signedIn: { name: string } | undefined;
  let how = "password";
  if (checked.is === "none") {
    signedIn = await elsewhere(name, password);
    how = "password of a directory";
  } else if (checked.is === "bad") {
    // The directories are asked all the same, about nobody: neither time nor failure tells whose name is the lab's own.
    await elsewhere(deps.system.id(), deps.system.randomToken());
  } else {
    signedIn = { name };
  }
  if (!signedIn) throw wrong();
  const user = (await findUser(deps, signedIn.name))?.data;
  if (!user?.active) throw wrong();
  await endAttempt(deps, attempt);
  if (checked.is === "must change") return { mustChange: checked.code };
  return await startSession(deps, { subject: user.name, admin: user.admin, how }, from);
}

const NOT_KEPT: Checked = { is: "none" };

/** A fresh session of a person; `rest` is written in the same transaction. */
export async function startSession(
  deps: Deps,
  who: {
    subject: string;
    admin: boolean;
    scopes?: readonly Scope[];
    how: string;
    provider?: string;
    /** When the token ends that it comes of: it lives no longer. */
    until?: string | undefined;
    /** The token with which it is begun: it ends with that. */
    made_of?: string | undefined;
  },
  { address, browser }: From,
  rest: readonly Operation[] = [],
): Promise<Session> {
  const { subject, admin, scopes, how, provider, until, made_of } = who;
  const { session_days, idle_days } = (await labSettings(deps)).sign_in;
  const left = until === undefined ? Infinity : (Date.parse(until) - deps.system.now()) / 1000;
  const seconds = Math.max(1, Math.min(session_days * 86_400, Math.floor(left)));
  const { text, item } = makeToken(deps, {
    kind: "session",
    subject,
    admin,
    scopes,
    description: browser.replace(/[^\x20-\x7e]/g, "").slice(0, 100),
    expiresInSeconds: seconds,
    idle_seconds: idle_days * 86_400,
    ...(provider === undefined ? {} : { provider }),
    ...(made_of === undefined ? {} : { made_of }),
  });
  const name = item.key.partition.replace("token#", "");
  const changed: Record<string, [null, string]> = { session: [null, subject], by: [null, how] };
  const reason = address === "" ? undefined : `from ${address}`;
  const change = changeItem(deps, { who: subject, kind: "token", name, changed, reason });
  await deps.table.transact([
    ...rest,
    { put: item, when: "absent" },
    { put: change, when: "absent" },
  ]);
  if (made_of !== undefined) await noteUseOf(deps, made_of);
  return { token: text, seconds };
}

const wrong = () =>
  new AppError("unauthenticated", "this name and this password don't go together here");

const notValid = () =>
  new AppError(
    "unauthenticated",
    "this sign-in link was used before or is older than ten minutes; ask for a new one with `pumice sign-in`",
  );
