import type { TokenView } from "#protocol/tokens.ts";
import { isReservedName } from "#protocol/people.ts";
import type { Scope } from "#protocol/sign-in.ts";
import { TableConflict, type Item, type NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import { findClosed } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { attemptOf, findJobItem } from "./job-record.ts";
import { isTokenOf, jobOfToken } from "./job-token.ts";
import { tokenKey } from "./people-keys.ts";
import { requireAdmin, requireUser, type Principal, type User } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { findUser, groupsNaming } from "./users.ts";
import { without } from "./without.ts";

/** A token in the table: of the token itself only its hash. `sign-in` and `password` are links', good once. */
export interface TokenRecord {
  id: string;
  kind: "user" | "worker" | "session" | "sign-in" | "password";
  subject: string;
  admin: boolean;
  description: string;
  created: string;
  expires?: string;
  /** All that the person may when absent. */
  scopes?: readonly Scope[];
  /** Of people and browsers, to the hour. */
  last_used?: string;
  /** Of a session that began with an account elsewhere. */
  provider?: string;
  /** Of a link: its session ends then, as does the token that it comes of. */
  session_until?: string;
  /** Of a session or link that was begun with a token: its id. It is good as long as that is there. */
  made_of?: string;
  /** A session that nobody used for so long is over. */
  idle_seconds?: number;
  hash: string;
}

export type NewToken = Pick<
  TokenRecord,
  | "kind"
  | "subject"
  | "admin"
  | "description"
  | "idle_seconds"
  | "provider"
  | "session_until"
  | "made_of"
> & {
  scopes?: readonly Scope[] | undefined;
  expiresInSeconds?: number | undefined;
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
  const item = await findTokenItem(deps, bearer);
  if (!item || isIdle(deps, item.data)) return undefined;
  const { id: tokenId, kind, subject: name, scopes } = item.data;
  if (!(await isRooted(deps, item.data))) return undefined;
  if (kind === "sign-in" || kind === "password") return undefined;
  if (kind === "worker") return { kind, name, tokenId };
  const user = await ownerOf(deps, item.data);
  if (!user) return undefined;
  await noteUse(deps, item);
  const narrow = scopes ? { scopes } : {};
  return { kind, name, admin: user.admin, groups: user.groups, tokenId, ...narrow };
}

/** Whether the token is still there with which it was begun, if it was with one. */
export const isRooted = async ({ table }: Deps, { made_of }: TokenRecord): Promise<boolean> =>
  made_of === undefined || (await table.get(tokenKey(made_of))) !== undefined;

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
export const findToken = async (deps: Deps, text: string): Promise<TokenRecord | undefined> =>
  (await findTokenItem(deps, text))?.data;

async function findTokenItem(deps: Deps, text: string): Promise<Item<TokenRecord> | undefined> {
  const id = idOfToken(text);
  if (id === undefined) return undefined;
  const item = await deps.table.get<TokenRecord>(tokenKey(id));
  return item?.data.hash === deps.system.hash(text) ? item : undefined;
}

/** Beginning a session with a token is a use of it, which stays noted when the session is gone. */
export async function noteUseOf(deps: Deps, id: string): Promise<void> {
  const item = await deps.table.get<TokenRecord>(tokenKey(id));
  if (item) await noteUse(deps, item);
}

const isIdle = ({ system }: Deps, { idle_seconds, last_used, created }: TokenRecord): boolean =>
  idle_seconds !== undefined &&
  system.now() >= Date.parse(last_used ?? created) + idle_seconds * 1000;

const NOTED_MS = 60 * 60 * 1000;

/** Writes down that a token is used: at first, then once an hour at the most, and not while the lab stands still. */
async function noteUse(deps: Deps, { data, version }: Item<TokenRecord>): Promise<void> {
  const now = deps.system.now();
  if (data.last_used !== undefined && now - Date.parse(data.last_used) < NOTED_MS) return;
  if (await findClosed(deps)) return;
  const put = tokenItem({ ...data, last_used: new Date(now).toISOString() });
  try {
    await deps.table.transact([{ put, when: { version } }]);
  } catch (error) {
    // Another request has noted it, or the token has just been revoked.
    if (!(error instanceof TableConflict)) throw error;
  }
}

/** Every token of the lab for an administrator, their own for others; oldest first. */
export async function listTokens(
  deps: Deps,
  principal: Principal,
): Promise<{ tokens: TokenView[] }> {
  const user = requireUser(principal);
  if (!user.admin) return { tokens: await listOwnTokens(deps, user) };
  const tokens: TokenView[] = [];
  for await (const { data } of queryAll<TokenRecord>(deps, "i1", "tokens")) {
    tokens.push(...viewsOf(deps, data));
  }
  return { tokens };
}

/** A page of all tokens of the lab, newest first, for an administrator; what is no token of anybody's is left out of it. */
export async function listTokensPage(
  deps: Deps,
  principal: Principal,
  cursor?: string,
): Promise<{ tokens: TokenView[]; next_cursor?: string }> {
  requireAdmin(principal);
  const page = await deps.table.query<TokenRecord>("i1", "tokens", {
    ...{ reverse: true, limit: 100 },
    ...(cursor === undefined ? {} : { cursor }),
  });
  const tokens = page.items.flatMap(({ data }) => viewsOf(deps, data));
  return { tokens, ...(page.cursor === undefined ? {} : { next_cursor: page.cursor }) };
}

/** A person's own tokens and sessions, oldest first. */
export async function listOwnTokens(deps: Deps, { name }: User): Promise<TokenView[]> {
  const tokens: TokenView[] = [];
  for await (const { data } of queryAll<TokenRecord>(deps, "i2", `user-tokens#${name}`)) {
    tokens.push(...viewsOf(deps, data));
  }
  return tokens.toSorted((a, b) => (a.created < b.created ? -1 : 1));
}

/** None of what is no token of anybody's, or is over. */
function viewsOf(deps: Deps, record: TokenRecord): TokenView[] {
  const shown = without(record, "hash", "idle_seconds", "provider", "made_of");
  const { kind, scopes, ...rest } = shown;
  if (kind === "sign-in" || kind === "password" || isIdle(deps, record)) return [];
  return [{ ...rest, kind, ...(scopes ? { scopes: [...scopes] } : {}) }];
}

/** Ends a token at once, for an administrator or for whom it speaks. Throws `not_found`. */
export async function revokeToken(deps: Deps, principal: Principal, id: string): Promise<void> {
  const user = requireUser(principal);
  const item = await deps.table.get<TokenRecord>(tokenKey(id));
  const isOwn = item?.data.kind !== "worker" && item?.data.subject === user.name;
  if (!item || !(user.admin || isOwn)) {
    throw new AppError("not_found", `there is no token ${JSON.stringify(id)}`);
  }
  const changed = { [item.data.kind]: [item.data.subject, null] } as Record<string, [string, null]>;
  const change = changeItem(deps, { who: user.name, kind: "token", name: id, changed });
  await deps.table.transact([{ delete: tokenKey(id) }, { put: change, when: "absent" }]);
  await forgetSessionsOf(deps, item.data);
  if (item.data.kind === "worker") await deps.signals.ring(`worker/${item.data.subject}`);
}

/** Sessions that were begun with a token which is gone: they are good no more, and need not be listed. */
export async function forgetSessionsOf(
  deps: Deps,
  { kind, id, subject }: TokenRecord,
): Promise<void> {
  if (kind === "worker") return;
  for await (const { data } of queryAll<TokenRecord>(deps, "i2", `user-tokens#${subject}`)) {
    if (data.made_of === id) await deps.table.transact([{ delete: tokenKey(data.id) }]);
  }
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
  { expiresInSeconds, scopes, ...token }: NewToken,
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
    ...(scopes ? { scopes } : {}),
    hash,
  });
}

export const tokenItem = (record: TokenRecord): NewItem => ({
  key: tokenKey(record.id),
  data: record,
  keys: {
    i1: { partition: "tokens", sort: `${record.created}#${record.id}` },
    // One that an older version made comes into its person's list when it is used.
    i2: {
      partition: `${record.kind === "worker" ? "worker" : "user"}-tokens#${record.subject}`,
      sort: record.id,
    },
  },
  ...(record.expires === undefined ? {} : { expires: Date.parse(record.expires) }),
});
