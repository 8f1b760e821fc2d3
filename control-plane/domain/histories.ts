import type { ChangeView, History } from "#protocol/history.ts";
import type { Item } from "../ports/table.ts";
import { maySeeWorker } from "./access.ts";
import { AppError } from "./app-error.ts";
import type { ChangeRecord } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { changeKey } from "./keys.ts";
import type { PageRequest } from "./named-page.ts";
import type { Principal } from "./principal.ts";
import { getVisibleDevice, getVisibleJob, sightOf } from "./visible.ts";
import { getWorkerItem, noWorker } from "./worker-record.ts";

/** What happened to a device, newest first, for whoever may see it. Throws `not_found`. */
export async function deviceHistory(
  deps: Deps,
  principal: Principal,
  hostname: string,
  page: PageRequest = {},
): Promise<History> {
  await getVisibleDevice(deps, principal, hostname);
  return historyOf(deps, "device", hostname, page);
}

/** The same of a worker. */
export async function workerHistory(
  deps: Deps,
  principal: Principal,
  name: string,
  page: PageRequest = {},
): Promise<History> {
  const { access } = await sightOf(deps, principal);
  const { data } = await getWorkerItem(deps, name);
  if (!maySeeWorker(access, data)) throw noWorker(name);
  return historyOf(deps, "worker", name, page);
}

/** The same of a job; it is forgotten after 90 days. */
export async function jobHistory(
  deps: Deps,
  principal: Principal,
  id: number,
  page: PageRequest = {},
): Promise<History> {
  await getVisibleJob(deps, principal, id);
  return historyOf(deps, "job", String(id), page);
}

async function historyOf(
  { table }: Deps,
  kind: ChangeRecord["kind"],
  name: string,
  { limit = 100, cursor }: PageRequest,
): Promise<History> {
  const before = cursor === undefined ? {} : { to: requireId(cursor) };
  const size = Math.min(Math.max(1, limit), 500);
  const { partition } = changeKey(kind, name, "");
  const found: Item<ChangeRecord>[] = [];
  let at: string | undefined;
  do {
    // One more than is told: the first of the next page.
    const page = await table.query<ChangeRecord>("main", partition, {
      reverse: true,
      limit: size + 1 - found.length,
      ...before,
      ...(at === undefined ? {} : { cursor: at }),
    });
    found.push(...page.items);
    at = page.cursor;
  } while (at !== undefined && found.length <= size);
  const next = found[size]?.data.id;
  const changes = found.slice(0, size).map(({ data }) => viewOf(data));
  return { changes, ...(next === undefined ? {} : { next_cursor: next }) };
}

function requireId(cursor: string): string {
  if (/^\d{4}-[\dTZ:.-]{5,40}#[\w-]{1,100}$/.test(cursor)) return cursor;
  throw new AppError("invalid", "cursor: expected next_cursor of an earlier answer");
}

const viewOf = ({ id, time, who, changed, reason }: ChangeRecord): ChangeView => ({
  id,
  time,
  who,
  changed,
  ...(reason === undefined ? {} : { reason }),
});
