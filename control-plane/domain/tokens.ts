import type { TokenView } from "#protocol/api.ts";
import { isReservedName } from "#protocol/people.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { attemptOf, findJobItem } from "./job-record.ts";
import { isTokenOf, jobOfToken } from "./job-token.ts";
import { tokenKey } from "./keys.ts";
import { requireAdmin, requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import type { NewItem } from "../ports/table.ts";
import { findUser, groupsNaming } from "./users.ts";
import { without } from "./without.ts";

/** A token in the table: of the token itself only its hash. `sign-in` is a link's, good once. */
export interface TokenRecord {
  id: string;
  kind: "user" | "worker" | "session" | "sign-in";
  subject: string;
  admin: boolean;
  description: string;
  created: string;
  expires?: string;
  hash: string;
}

export type NewToken = Pick<TokenRecord, "kind" | "subject" | "admin" | "description"> & {
  expiresInSeconds?: number;
};

/** A fresh token and the item that makes it valid; the text is in no other place. */
export function makeToken({ system }: Deps, token: NewToken): { text: string; item: NewItem } {
  const id = system.id();
  const text = `pumice_${id}_${system.randomToken()}`;
  return { text, item: newTokenItem(id, token, system.hash(text), system.now()) };
}

/** The item that makes a token of ours valid whose text is known already. */
export function itemOfToken({ system }: Deps, text: string, token: NewToken): NewItem {
  const id = idOfToken(text);
  if (id === undefined) throw new Error("not a token of this lab");
  return newTokenItem(id, token, system.hash(text), system.now());
}

/** Who a bearer token speaks for; undefined when it is unknown, revoked or too old. */
export async function authenticate(deps: Deps, bearer: string): Promise<Principal | undefined> {
  const jobId = jobOfToken(bearer);
  if (jobId !== undefined) {
    const job = await findJobItem(deps, jobId);
    if (!job || !isTokenOf(deps, job.data, bearer)) return undefined;
    return { kind: "job", jobId, attempt: attemptOf(job.data) };
  }
  const record = await findToken(deps, bearer);
  if (!record || record.kind === "sign-in") return undefined;
  const { id: tokenId, kind, subject: name } = record;
  if (kind === "worker") return { kind, name, tokenId };
  const user = await ownerOf(deps, record);
  return user && { kind, name, admin: user.admin, groups: user.groups, tokenId };
}

/**
 * Whom a person's token speaks for: no longer anybody who is not active. Of an administrator, a token that is none of an
 * administrator's may only what others may.
 */
export async function ownerOf(
  deps: Deps,
  { subject, admin }: Pick<TokenRecord, "subject" | "admin">,
): Promise<{ admin: boolean; groups: readonly string[] } | undefined> {
  if (isReservedName(subject)) return undefined;
  const user = (await findUser(deps, subject))?.data;
  // An older version kept no record of a user: what the token says of them holds.
  if (!user) return { admin, groups: await groupsNaming(deps, subject) };
  return user.active ? { admin: admin && user.admin, groups: user.groups } : undefined;
}

/** The record of a valid token. */
export async function findToken(deps: Deps, text: string): Promise<TokenRecord | undefined> {
  const id = idOfToken(text);
  if (id === undefined) return undefined;
  const item = await deps.table.get<TokenRecord>(tokenKey(id));
  return item?.data.hash === deps.system.hash(text) ? item.data : undefined;
}

/** Makes a token for a user; the answer is the only place that has its text. */
export async function addToken(
  deps: Deps,
  principal: Principal,
  request: { subject: string; description: string; admin: boolean },
): Promise<{ id: string; token: string }> {
  requireAdmin(principal);
  const { text, item } = makeToken(deps, { kind: "user", ...request });
  await deps.table.transact([{ put: item, when: "absent" }]);
  return { id: item.key.partition.replace("token#", ""), token: text };
}

/** Every token of the lab for an administrator, their own for others; oldest first. */
export async function listTokens(
  deps: Deps,
  principal: Principal,
): Promise<{ tokens: TokenView[] }> {
  const user = requireUser(principal);
  const tokens: TokenView[] = [];
  for await (const { data } of queryAll<TokenRecord>(deps, "i1", "tokens")) {
    const { kind, subject } = data;
    if (kind === "sign-in") continue;
    const isOwn = kind !== "worker" && subject === user.name;
    if (user.admin || isOwn) tokens.push({ ...without(data, "hash"), kind });
  }
  return { tokens };
}

/** Ends a token at once, for an administrator or for whom it speaks. Throws `not_found`. */
export async function revokeToken(deps: Deps, principal: Principal, id: string): Promise<void> {
  const user = requireUser(principal);
  const item = await deps.table.get<TokenRecord>(tokenKey(id));
  const isOwn = item?.data.kind !== "worker" && item?.data.subject === user.name;
  if (!item || !(user.admin || isOwn)) {
    throw new AppError("not_found", `there is no token ${JSON.stringify(id)}`);
  }
  await deps.table.transact([{ delete: tokenKey(id) }]);
  if (item.data.kind === "worker") await deps.signals.ring(`worker/${item.data.subject}`);
}

/** Keys of all tokens of a worker. */
export async function workerTokenIds(deps: Deps, worker: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { data } of queryAll<TokenRecord>(deps, "i2", `worker-tokens#${worker}`)) {
    ids.push(data.id);
  }
  return ids;
}

function idOfToken(text: string): string | undefined {
  return /^pumice_([0-9a-f]{16})_[\w-]{43}$/.exec(text)?.[1];
}

/** The item that makes the token of this id and hash valid. */
export function newTokenItem(
  id: string,
  { expiresInSeconds, ...token }: NewToken,
  hash: string,
  now: number,
): NewItem {
  const created = new Date(now).toISOString();
  const expires = expiresInSeconds === undefined ? undefined : now + expiresInSeconds * 1000;
  return tokenItem({
    id,
    ...token,
    created,
    ...(expires === undefined ? {} : { expires: new Date(expires).toISOString() }),
    hash,
  });
}

export const tokenItem = (record: TokenRecord): NewItem => ({
  key: tokenKey(record.id),
  data: record,
  keys: {
    i1: { partition: "tokens", sort: `${record.created}#${record.id}` },
    ...(record.kind === "worker"
      ? { i2: { partition: `worker-tokens#${record.subject}`, sort: record.id } }
      : {}),
  },
  ...(record.expires === undefined ? {} : { expires: Date.parse(record.expires) }),
});
