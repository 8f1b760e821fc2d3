import type { ChangeRecord } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { queryAll } from "../query-all.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Earlier ones are in the history of each job and device. */
const MAX_DAYS = 7;

/** The lab's changes from an id or a time on, in the order of their ids; of the last seven days. */
export async function* changesFrom(deps: Deps, from: string): AsyncGenerator<ChangeRecord> {
  const now = deps.system.now();
  const earliest = new Date(now - MAX_DAYS * DAY_MS).toISOString();
  const start = from > earliest ? from : earliest;
  // A little of tomorrow, too: whoever wrote it may have a clock that is fast.
  const last = new Date(now + 60_000).toISOString().slice(0, 10);
  for (let day = start.slice(0, 10); day <= last; day = dayAfter(day)) {
    const range = { from: start, limit: 200 };
    for await (const { data } of queryAll<ChangeRecord>(deps, "i1", `changes#${day}`, range)) {
      yield data;
    }
  }
}

const dayAfter = (day: string): string =>
  new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10);
