import type { AddToken, AddedToken } from "#protocol/tokens.ts";
import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { tokenKey } from "./people-keys.ts";
import { labSettings } from "./lab-settings.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { retrying } from "./retrying.ts";
import {
  forgetSessionsOf,
  makeToken,
  tokenItem,
  type NewToken,
  type TokenRecord,
} from "./tokens.ts";
import { findUser, newUser, userItem } from "./users.ts";

/**
 * Makes a token for oneself, or as an administrator for anybody; the answer is the only place that has its text. Somebody
 * new becomes a user by it. `rest` is written in the same transaction.
 */
export async function addToken(
  deps: Deps,
  principal: Principal,
  { subject, description, admin, scopes, expires_seconds }: AddToken,
  rest: readonly Operation[] = [],
  reason?: string,
): Promise<AddedToken> {
  const user = requireUser(principal);
  if (!user.admin && (subject !== user.name || admin === true)) {
    throw new AppError("forbidden", "only an administrator may do this; make one for yourself");
  }
  const person = (await findUser(deps, subject))?.data;
  if (person && admin === true && !person.admin) {
    const hint = `pumice users change ${subject} --admin`;
    throw new AppError(
      "conflict",
      `${subject} is no administrator, so no token of theirs is: ${hint}`,
    );
  }
  const expiresInSeconds = await lifeOf(deps, expires_seconds);
  // An administrator's own token may be made before there was a record of anybody. What is no administrator's token makes none.
  const isAdmin = user.admin && (admin ?? person?.admin ?? subject === user.name);
  const token = {
    kind: "user",
    subject,
    admin: isAdmin,
    description,
    scopes,
    expiresInSeconds,
  } as const;
  const making: Operation[] = [...rest];
  if (!person) {
    const made = await newUser(deps, subject, { admin: isAdmin, source: "token" });
    making.push({ put: userItem(made), when: "absent" });
  }
  return await issue(deps, user, token, making, reason);
}

/**
 * Makes a token like another one, which ends after the overlap. Its person may do it, an administrator, and the token
 * itself, whatever its scopes. An administrator's token comes of an administrator's only. Throws `not_found`.
 */
export async function rotateToken(
  deps: Deps,
  principal: Principal,
  id: string,
  overlapSeconds: number,
): Promise<AddedToken> {
  const user = requireUser(principal);
  if (user.scopes && user.tokenId !== id && !user.scopes.includes("admin")) {
    throw new AppError("forbidden", "a token with scopes may rotate itself, no other one");
  }
  return await retrying(async () => {
    const item = await deps.table.get<TokenRecord>(tokenKey(id));
    const isTheirs = user.admin || item?.data.subject === user.name;
    if (item?.data.kind !== "user" || !isTheirs) {
      throw new AppError("not_found", `there is no token ${JSON.stringify(id)} of a person`);
    }
    const { kind, subject, admin, description, scopes, created, expires } = item.data;
    const life = expires && (Date.parse(expires) - Date.parse(created)) / 1000;
    const expiresInSeconds = await lifeOf(deps, life || undefined);
    const mayAdmin = admin && user.admin;
    const token = {
      ...{ kind, subject, admin: mayAdmin, description, scopes, expiresInSeconds },
    } as const;
    const end = deps.system.now() + overlapSeconds * 1000;
    const ends = new Date(Math.min(end, expires ? Date.parse(expires) : end)).toISOString();
    const old: Operation =
      overlapSeconds === 0
        ? { delete: item.key, when: { version: item.version } }
        : { put: tokenItem({ ...item.data, expires: ends }), when: { version: item.version } };
    const made = await issue(deps, user, token, [old], `in the place of ${id}`);
    if ("delete" in old) await forgetSessionsOf(deps, item.data);
    return made;
  });
}

async function issue(
  deps: Deps,
  { name: who }: User,
  token: NewToken,
  rest: readonly Operation[],
  reason?: string,
): Promise<AddedToken> {
  const { text, item } = makeToken(deps, token);
  const id = item.key.partition.replace("token#", "");
  const scopes = token.scopes?.join(" ") ?? "all that they may";
  const changed: Record<string, [null, string]> = {
    user: [null, token.subject],
    scopes: [null, scopes],
  };
  const change = changeItem(deps, { who, kind: "token", name: id, changed, reason });
  await deps.table.transact([
    ...rest,
    { put: item, when: "absent" },
    { put: change, when: "absent" },
  ]);
  const expires =
    item.expires === undefined ? {} : { expires: new Date(item.expires).toISOString() };
  return { id, token: text, ...expires };
}

/** Seconds as asked for, within what the lab allows; throws `invalid` when that is shorter. */
export async function lifeOf(deps: Deps, seconds: number | undefined): Promise<number | undefined> {
  const days = (await labSettings(deps)).sign_in.longest_token_days;
  if (days === undefined) return seconds;
  const most = days * 86_400;
  if (seconds === undefined || seconds <= most) return seconds ?? most;
  throw new AppError(
    "invalid",
    `expires_seconds: a token of this lab lives ${days} days at the most`,
  );
}
