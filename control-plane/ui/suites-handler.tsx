import type { Context } from "hono";
import * as v from "valibot";
import type { JobHead } from "#protocol/queries.ts";
import type { SuiteView } from "#protocol/results.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { getJob } from "../domain/jobs.ts";
import { caseHistory } from "../domain/queries/case-history.ts";
import { runQuery } from "../domain/queries/run-query.ts";
import { summaryOf } from "../domain/results/job-summary.ts";
import { listCases, listSuites, suiteNamed } from "../domain/results/suites.ts";
import { getVisibleJob } from "../domain/visible.ts";
import { parse } from "../http/read-body.ts";
import { jobIdOf, pageQuery, type Env } from "../http/route.ts";
import { exported, exportFormat } from "./export-rows.ts";
import { optionalText } from "./page-query.ts";
import { CasePage, LatestPage, SuitePage, SuitesPage } from "./suites-page.tsx";
import type { View } from "./view.ts";

const caseQuery = v.object({ set: optionalText, format: exportFormat });
const latestQuery = v.object({ cursor: v.optional(v.string()), format: exportFormat });
const CASES_A_PAGE = 200;
const LATEST_SUITES = 60;
const HISTORY = 50;
/** A test that prints its name again and again has these many records here. */
const MOST_RECORDS = 20;

/** `/jobs/ID/suites` */
export async function showSuites(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const job = await getJob(deps, c.var.principal, jobIdOf(c));
  const { suites } = await listSuites(deps, c.var.principal, job);
  return c.html(<SuitesPage {...{ view, job, suites }} />) as Response;
}

/** `/jobs/ID/suites/SUITE` */
export async function showSuite(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { principal } = c.var;
  const { cursor } = parse(pageQuery, c.req.query(), "query");
  const name = c.req.param("suite") ?? "";
  const job = await getJob(deps, principal, jobIdOf(c));
  const list = await listCases(deps, principal, job, name, { limit: CASES_A_PAGE, cursor });
  const { suites } = await listSuites(deps, principal, job);
  const suite = suites.find((one) => one.name === name);
  if (!suite) throw new AppError("not_found", `job ${job.id} has no suite ${JSON.stringify(name)}`);
  return c.html(<SuitePage {...{ view, job, suite, list }} />) as Response;
}

/** `/jobs/ID/suites/SUITE/CASE?set=` */
export async function showCase(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { principal } = c.var;
  const { set: asked, format } = parse(caseQuery, c.req.query(), "query");
  const [suite = "", name = ""] = [c.req.param("suite"), c.req.param("case")];
  const record = await getVisibleJob(deps, principal, jobIdOf(c));
  const { summary } = await summaryOf(deps, record);
  suiteNamed(summary, record.id, suite);
  const named = summary.cases.filter((one) => one.suite === suite && one.name === name);
  // Without a set, that of the first one: LAVA's addresses name none.
  const set = asked ?? (named.some((one) => one.set === undefined) ? undefined : named[0]?.set);
  const [first, ...others] = named.filter((one) => one.set === set);
  if (!first) {
    const message = `suite ${suite} of job ${record.id} has no test case ${JSON.stringify(name)}`;
    throw new AppError("not_found", message);
  }
  const history = await caseHistory(deps, principal, record, { suite, set, name }, HISTORY);
  if (format !== undefined) return exported(c, format, "history", historyRows(history));
  const job = await getJob(deps, principal, record.id);
  const cases = [first, ...others.slice(0, MOST_RECORDS)] as const;
  return c.html(<CasePage {...{ view, job, history }} cases={[...cases]} />) as Response;
}

const historyRows = ({ runs }: Awaited<ReturnType<typeof caseHistory>>) =>
  runs.map(({ job, case: { result, measurement, units } }) => ({
    ...{ job: job.id, submit_time: job.submit_time, device: job.device },
    ...{ result, measurement, units },
  }));

/** `/tests/latest` */
export async function showLatest(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { cursor, format } = parse(latestQuery, c.req.query(), "query");
  const question = { entity: "testsuite" as const, conditions: [], limit: LATEST_SUITES };
  const answer = await runQuery(deps, c.var.principal, question, { cursor });
  if (format !== undefined) {
    const rows = answer.rows.map(({ job, suite }) => ({
      ...{ job: job.id, description: job.description, suite: suite?.name },
      ...{ pass: suite?.pass, fail: suite?.fail, skip: suite?.skip, unknown: suite?.unknown },
    }));
    return exported(c, format, "latest", rows);
  }
  const jobs = new Map<number, { job: JobHead; suites: SuiteView[] }>();
  for (const { job, suite } of answer.rows) {
    const known = jobs.get(job.id) ?? { job, suites: [] };
    jobs.set(job.id, known);
    if (suite) known.suites.push(suite);
  }
  const { next_cursor: next } = answer;
  return c.html(<LatestPage {...{ view, next }} jobs={[...jobs.values()]} />) as Response;
}
