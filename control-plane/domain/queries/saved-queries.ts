import * as v from "valibot";
import { userName } from "#protocol/people.ts";
import { type QueryList, type QueryView } from "#protocol/queries.ts";
import { queryName, type PutQuery } from "#protocol/saved-query.ts";
import type { Item } from "../../ports/table.ts";
import { AppError } from "../app-error.ts";
import { editChange, removal } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { queryKey } from "../keys.ts";
import type { PageRequest } from "../named-page.ts";
import { requireUser, type Principal, type User } from "../principal.ts";
import { queryAll } from "../query-all.ts";
import { retrying } from "../retrying.ts";
import { without } from "../without.ts";
import { conditionsOf } from "./query-in-lab.ts";

/** A person has at most so many. */
const MOST_QUERIES = 200;
/** One call looks at so many of all, most of which are others' own. */
const MOST_SEEN = 2000;

/**
 * Those that whoever asks may use: their own, published ones, those of their groups; an administrator all. By owner and name.
 * A page may be shorter than `limit`, even empty, and yet have a cursor.
 */
export async function listQueries(
  deps: Deps,
  principal: Principal,
  { limit = 100, cursor }: PageRequest = {},
): Promise<QueryList> {
  const user = requireUser(principal);
  const size = Math.min(Math.max(1, limit), 500);
  const queries: QueryView[] = [];
  let seen = 0;
  let last: QueryView | undefined;
  const range = { limit: 500, ...(cursor === undefined ? {} : { from: `${cursor}!` }) };
  const { partition } = queryKey("", "");
  for await (const { data } of queryAll<QueryView>(deps, "main", partition, range)) {
    if (last && (queries.length === size || seen === MOST_SEEN)) {
      return { queries, next_cursor: `${last.owner}/${last.name}` };
    }
    last = data;
    seen += 1;
    if (maySee(user, data)) queries.push(data);
  }
  return { queries };
}

/** Throws `not_found`, also for one that whoever asks may not use. */
export async function getQuery(
  deps: Deps,
  principal: Principal,
  owner: string,
  name: string,
): Promise<QueryView> {
  return (await findVisible(deps, requireUser(principal), owner, name)).data;
}

/**
 * Makes or replaces one: its owner, members of its group and administrators may. Throws `invalid` for conditions that cannot be
 * asked, `forbidden`, `conflict` when its owner has too many.
 */
export async function putQuery(
  deps: Deps,
  principal: Principal,
  [owner, name]: readonly [owner: string, name: string],
  request: PutQuery,
): Promise<QueryView> {
  const user = requireUser(principal);
  if (!v.is(userName, owner) || !v.is(queryName, name)) {
    throw new AppError("invalid", `expected OWNER/NAME of a query, not ${owner}/${name}`);
  }
  const asked = conditionsOf(request);
  return retrying(async () => {
    const item = await deps.table.get<QueryView>(queryKey(owner, name));
    requireQueryChange(user, owner, item?.data);
    if (!item) await requireRoom(deps, owner);
    const after: QueryView = {
      ...without(request, "group"),
      ...(request.group === undefined ? {} : { group: request.group }),
      ...{ owner, name, conditions: asked },
      changed: new Date(deps.system.now()).toISOString(),
    };
    const told = `${owner}/${name}`;
    await deps.table.transact([
      {
        put: { key: queryKey(owner, name), data: after },
        when: item ? { version: item.version } : "absent",
      },
      ...editChange(deps, "query", told, [item?.data, after], { who: user.name }),
    ]);
    return after;
  });
}

/** Throws `not_found`, and `forbidden` for who may use it only. */
export async function removeQuery(
  deps: Deps,
  principal: Principal,
  owner: string,
  name: string,
): Promise<void> {
  const user = requireUser(principal);
  await retrying(async () => {
    const { data, version } = await findVisible(deps, user, owner, name);
    requireQueryChange(user, owner, data);
    await deps.table.transact([
      { delete: queryKey(owner, name), when: { version } },
      ...removal(deps, "query", `${owner}/${name}`, data, user),
    ]);
  });
}

async function findVisible(
  { table }: Deps,
  user: User,
  owner: string,
  name: string,
): Promise<Item<QueryView>> {
  const item = await table.get<QueryView>(queryKey(owner, name));
  if (item && maySee(user, item.data)) return item;
  throw new AppError("not_found", `there is no query ${JSON.stringify(`${owner}/${name}`)}`);
}

const maySee = (user: User, query: QueryView): boolean =>
  query.published || mayChangeQuery(user, query);

/** Its owner, members of its group and administrators. */
export const mayChangeQuery = (
  user: User,
  { owner, group }: Pick<QueryView, "owner" | "group">,
): boolean =>
  user.admin || user.name === owner || (group !== undefined && user.groups.includes(group));

/** Throws `forbidden`. */
export function requireQueryChange(user: User, owner: string, query: QueryView | undefined): void {
  if (mayChangeQuery(user, query ?? { owner })) return;
  const who = `${owner}, members of its group and administrators`;
  throw new AppError("forbidden", `queries of ${owner} are changed by ${who}`);
}

async function requireRoom({ table }: Deps, owner: string): Promise<void> {
  const { partition } = queryKey(owner, "");
  const range = { from: `${owner}/`, to: `${owner}/~`, limit: MOST_QUERIES };
  if ((await table.query("main", partition, range)).items.length < MOST_QUERIES) return;
  const message = `${owner} has ${MOST_QUERIES} queries, which is the most: remove some`;
  throw new AppError("conflict", message);
}
