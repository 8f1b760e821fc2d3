import type { Comparison } from "#protocol/queries.ts";
import { AppError } from "../app-error.ts";
import type { Deps } from "../deps.ts";
import type { Principal } from "../principal.ts";
import { compareJobs } from "./compare-jobs.ts";
import { runQuery } from "./run-query.ts";
import { getQuery } from "./saved-queries.ts";

/** Newest jobs of a query that are compared. */
const MOST_OF_QUERY = 20;

/**
 * Compares two sides as people write them: `12`, a build of several jobs `12,13`, or the newest jobs of a saved query,
 * `OWNER/NAME`. Throws `invalid` and `not_found`.
 */
export async function compareSides(
  deps: Deps,
  principal: Principal,
  [before, after]: readonly [before: string, after: string],
): Promise<Comparison> {
  return compareJobs(deps, principal, {
    before: await jobsOf(deps, principal, before),
    after: await jobsOf(deps, principal, after),
  });
}

async function jobsOf(deps: Deps, principal: Principal, side: string): Promise<number[]> {
  const text = side.replaceAll(/[\s#]/g, "");
  if (/^[1-9]\d{0,11}(,[1-9]\d{0,11})*$/.test(text)) return text.split(",").map(Number);
  const [, owner, name] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
  if (owner === undefined || name === undefined) {
    throw new AppError("invalid", "expected a job, several with commas, or OWNER/NAME of a query");
  }
  const { conditions } = await getQuery(deps, principal, owner, name);
  const question = { entity: "testjob" as const, conditions, limit: MOST_OF_QUERY };
  const { rows } = await runQuery(deps, principal, question);
  if (rows.length === 0) throw new AppError("not_found", `no job fits query ${text}`);
  return rows.map(({ job }) => job.id);
}
