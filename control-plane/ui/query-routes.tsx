import type { Context, Hono } from "hono";
import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { chartMeasurement, chartPassRate } from "../domain/queries/charts.ts";
import { compareJobs } from "../domain/queries/compare-jobs.ts";
import { runQuery } from "../domain/queries/run-query.ts";
import { getQuery, listQueries } from "../domain/queries/saved-queries.ts";
import { parse } from "../http/read-body.ts";
import { pageQuery, queryNumber, type Env } from "../http/route.ts";
import { ComparePage } from "./compare-page.tsx";
import { QueriesPage } from "./queries-page.tsx";
import { QueryPage } from "./query-page.tsx";
import type { View } from "./view.ts";

const compareQuery = v.object({ before: queryNumber, after: queryNumber });
/** Of which case a measurement is drawn as well. */
const text = v.optional(
  v.pipe(
    v.string(),
    v.transform((given) => given || undefined),
  ),
);
const chartedCase = v.object({ case: text, suite: text });
const CHARTED_JOBS = 100;
const ROWS = 100;

/** `/queries`, `/queries/OWNER/NAME`, `/compare` */
export function queryPages(
  app: Hono<Env>,
  deps: Deps,
  viewOf: (c: Context<Env>) => Promise<View>,
): void {
  app.get("/queries", async (c) => {
    const page = parse(pageQuery, c.req.query(), "query");
    const list = await listQueries(deps, c.var.principal, page);
    return c.html(<QueriesPage view={await viewOf(c)} list={list} />);
  });
  app.get("/queries/:owner/:name", async (c) => {
    const { principal } = c.var;
    const { cursor } = parse(pageQuery, c.req.query(), "query");
    const query = await getQuery(deps, principal, c.req.param("owner"), c.req.param("name"));
    const limit = Math.min(query.limit, ROWS);
    const answer = await runQuery(deps, principal, query, { limit, cursor });
    const { conditions } = query;
    const charted = { conditions, limit: CHARTED_JOBS };
    const chart = await chartPassRate(deps, principal, charted);
    const { case: name, suite } = parse(chartedCase, c.req.query(), "query");
    const measured =
      name === undefined
        ? undefined
        : { name, chart: await chartMeasurement(deps, principal, charted, { suite, name }) };
    return c.html(
      <QueryPage
        view={await viewOf(c)}
        query={query}
        answer={answer}
        chart={chart}
        measured={measured}
      />,
    );
  });
  app.get("/compare", async (c) => {
    const { before, after } = parse(compareQuery, c.req.query(), "query");
    const asked = { before: [before], after: [after] };
    const comparison = await compareJobs(deps, c.var.principal, asked);
    return c.html(<ComparePage view={await viewOf(c)} comparison={comparison} />);
  });
}
