import type { Context } from "hono";
import * as v from "valibot";
import type { QueryAnswer } from "#protocol/queries.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { chartMeasurement, chartPassRate } from "../domain/queries/charts.ts";
import { conditionText } from "../domain/queries/conditions.ts";
import { runQuery } from "../domain/queries/run-query.ts";
import { getQuery, listQueries, mayChangeQuery } from "../domain/queries/saved-queries.ts";
import { parse } from "../http/read-body.ts";
import { pageQuery, type Env } from "../http/route.ts";
import { exported, exportFormat } from "./export-rows.ts";
import { optionalText } from "./page-query.ts";
import { QueriesPage, sharedWith } from "./queries-page.tsx";
import { QueryPage } from "./query-page.tsx";
import type { View } from "./view.ts";

/** Of which case a measurement is drawn as well, and by which attribute of the jobs. */
const drawnQuery = v.object({ case: optionalText, suite: optionalText, group_by: optionalText });
const formatQuery = v.object({ format: exportFormat });
const CHARTED_JOBS = 100;
const ROWS = 100;

/** `/queries` */
export async function showQueries(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const page = parse(pageQuery, c.req.query(), "query");
  const { format } = parse(formatQuery, c.req.query(), "query");
  const list = await listQueries(deps, c.var.principal, page);
  if (format === undefined) return c.html(<QueriesPage view={view} list={list} />) as Response;
  const rows = list.queries.map((query) => ({
    ...{ owner: query.owner, name: query.name, description: query.description },
    ...{ entity: query.entity, conditions: query.conditions.map(conditionText).join(",") },
    ...{ shared_with: sharedWith(query), changed: query.changed },
  }));
  return exported(c, format, "queries", rows);
}

/** `/queries/OWNER/NAME` */
export async function showQuery(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { principal } = c.var;
  const { cursor } = parse(pageQuery, c.req.query(), "query");
  const drawn = parse(drawnQuery, c.req.query(), "query");
  const { format } = parse(formatQuery, c.req.query(), "query");
  const [owner = "", name = ""] = [c.req.param("owner"), c.req.param("name")];
  const query = await getQuery(deps, principal, owner, name);
  const limit = format === undefined ? Math.min(query.limit, ROWS) : query.limit;
  const answer = await runQuery(deps, principal, query, { limit, cursor });
  if (format !== undefined) return exported(c, format, name, rowsOf(answer));
  const { case: measuredCase, suite, group_by } = drawn;
  const charted = { conditions: query.conditions, limit: CHARTED_JOBS, group_by };
  const chart = await chartPassRate(deps, principal, charted);
  const of = measuredCase === undefined ? undefined : { suite, name: measuredCase };
  const measured = of && {
    name: of.name,
    chart: await chartMeasurement(deps, principal, charted, of),
  };
  const mayChange = mayChangeQuery(requireUser(principal), query);
  const shown = { view, query, answer, chart, measured, drawn, mayChange };
  return c.html(<QueryPage {...shown} />) as Response;
}

const rowsOf = ({ rows }: QueryAnswer) =>
  rows.map(({ job, suite, case: one }) => ({
    job: job.id,
    ...{ description: job.description, submitter: job.submitter, device_type: job.device_type },
    ...{ device: job.device, state: job.state, health: job.health, submit_time: job.submit_time },
    ...(suite && {
      ...{ suite: suite.name, pass: suite.pass, fail: suite.fail },
      ...{ skip: suite.skip, unknown: suite.unknown },
    }),
    ...(one && {
      ...{ suite: one.suite, set: one.set, case: one.name, result: one.result },
      ...{ measurement: one.measurement, units: one.units },
    }),
  }));
