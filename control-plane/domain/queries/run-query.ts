import type { QueryAnswer } from "#protocol/queries.ts";
import type { Condition, Entity } from "#protocol/saved-query.ts";
import type { Deps } from "../deps.ts";
import type { PageRequest } from "../named-page.ts";
import type { Principal } from "../principal.ts";
import { sightOf } from "../visible.ts";
import { headOf, readCursor, searchJobs, told, type Found, type Look } from "./search-jobs.ts";

/** What is asked, saved or not. */
export interface Question {
  readonly entity: Entity;
  readonly conditions: readonly Condition[];
  readonly limit: number;
}

/**
 * The newest rows that fit: jobs, suites or cases, of jobs that whoever asks may see (SCHEDULER.md 10). A page may have fewer rows
 * than `limit`, even none, and yet have a cursor.
 */
export async function runQuery(
  deps: Deps,
  principal: Principal,
  { entity, conditions, limit: usual }: Question,
  { limit = usual, cursor }: PageRequest = {},
): Promise<QueryAnswer> {
  const sight = await sightOf(deps, principal);
  const size = Math.min(Math.max(1, limit), 1000);
  const { upTo, skip } = readCursor(cursor);
  const look: Look = { looked_at: 0 };
  const rows: QueryAnswer["rows"] = [];
  const how = { upTo, withResults: entity !== "testjob" };
  for await (const found of searchJobs(deps, sight, conditions, how, look)) {
    const all = rowsOf(entity, found);
    const first = found.job.id === upTo ? skip : 0;
    const room = size - rows.length;
    rows.push(...all.slice(first, first + room));
    if (rows.length < size) continue;
    const { id } = found.job;
    const isWhole = first + room >= all.length;
    const next = isWhole ? String(id - 1) : `${id}-${first + room}`;
    return { entity, rows, ...told(look, next) };
  }
  return { entity, rows, ...told(look) };
}

function rowsOf(entity: Entity, { job, cases, summary }: Found): QueryAnswer["rows"] {
  const head = headOf(job);
  if (entity === "testjob") return [{ job: head }];
  if (entity === "testcase") return cases.map((one) => ({ job: head, case: one }));
  const names = new Set(cases.map(({ suite }) => suite));
  const suites = summary?.suites.filter(({ name }) => names.has(name)) ?? [];
  return suites.map((suite) => ({ job: head, suite }));
}
