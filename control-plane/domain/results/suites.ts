import type { CaseList, JobMetadata, SuiteList, SuiteView } from "#protocol/results.ts";
import { AppError } from "../app-error.ts";
import type { Deps } from "../deps.ts";
import type { PageRequest } from "../named-page.ts";
import type { Principal } from "../principal.ts";
import { getVisibleJob } from "../visible.ts";
import { jobMetadata } from "./job-metadata.ts";
import { summaryOf, type JobSummary } from "./job-summary.ts";
import { markedBy, readResults } from "./read-results.ts";

/** Of a job, and of an attempt of it where one is named. */
export interface OfJob {
  readonly id: number;
  readonly attempt?: number | undefined;
}

/** The suites of a job with what they come to. Throws `not_found`. */
export async function listSuites(
  deps: Deps,
  principal: Principal,
  { id, attempt }: OfJob,
): Promise<SuiteList> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  const { suites } = (await summaryOf(deps, job)).summary;
  return { suites };
}

/**
 * A page of a suite's cases, in the order of the log: 1 to 1000 of them, 100 when nothing is said. Only that part of the results
 * is read which has them. Throws `not_found`.
 */
export async function listCases(
  deps: Deps,
  principal: Principal,
  { id, attempt }: OfJob,
  name: string,
  { limit = 100, cursor }: PageRequest = {},
): Promise<CaseList> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  const { summary } = await summaryOf(deps, job);
  const suite = suiteNamed(summary, id, name);
  const from = cursor === undefined ? suite.first_line : lineAfter(cursor);
  const size = Math.min(Math.max(1, limit), 1000);
  const cases: CaseList["cases"] = [];
  for await (const view of readResults(deps, job, { from, to: suite.last_line })) {
    if (view.suite !== name) continue;
    if (cases.length === size) return { cases, next_cursor: String(cases.at(-1)?.log_line) };
    cases.push(markedBy(summary.failed, view));
  }
  return { cases };
}

/** Throws `not_found`. */
export function suiteNamed({ suites }: JobSummary, id: number, name: string): SuiteView {
  const found = suites.find((suite) => suite.name === name);
  if (found) return found;
  const some = suites.slice(0, 10).map((suite) => suite.name);
  const has = some.length === 0 ? "it has none" : `it has ${some.join(", ")}`;
  throw new AppError("not_found", `job ${id} has no suite ${JSON.stringify(name)}: ${has}`);
}

/** Of the definition. Throws `not_found`. */
export async function readMetadata(
  deps: Deps,
  principal: Principal,
  { id }: OfJob,
): Promise<JobMetadata> {
  await getVisibleJob(deps, principal, id);
  return { metadata: await jobMetadata(deps, id) };
}

function lineAfter(cursor: string): number {
  if (/^\d{1,12}$/.test(cursor)) return Number(cursor) + 1;
  throw new AppError("invalid", "cursor: expected next_cursor of an earlier answer");
}
