import * as v from "valibot";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import type { Question } from "../domain/queries/run-query.ts";
import type { Principal } from "../domain/principal.ts";
import { parse, readJson } from "./read-body.ts";
import { pageQuery, queryNumber, routes, type RouteContext } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const conditionText = () => import("../domain/queries/conditions.ts");
const savedQueries = () => import("../domain/queries/saved-queries.ts");

/** What is searched: a saved query by `OWNER/NAME`, or conditions in the text form. */
const questionQuery = v.object({
  query: v.optional(v.string()),
  entity: v.optional(v.picklist(["testjob", "testsuite", "testcase"]), "testjob"),
  conditions: v.optional(v.string(), ""),
  ...pageQuery.entries,
});
const measurementQuery = v.object({
  case: v.pipe(v.string("expected the name of a test case"), v.minLength(1)),
  suite: v.optional(v.string()),
});
const flakyQuery = v.object({
  jobs: v.optional(queryNumber, "100"),
  by: v.optional(v.string(), ""),
});
const idList = v.pipe(
  v.string("expected a job, or several with commas"),
  v.regex(/^[1-9]\d{0,11}(,[1-9]\d{0,11})*$/, "expected a job, or several with commas"),
  v.transform((text) => text.split(",").map(Number)),
);
/** How a chart is drawn, whatever it shows. */
const chartQuery = v.object({
  omit: v.optional(v.pipe(idList, v.maxLength(200, "expected at most 200 jobs"))),
  group_by: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(100))),
});
const compareQuery = v.object({ before: idList, after: idList });

/** `/api/v1/queries`, `/charts`, `/flaky`, `/compare` */
export function queryRoutes(deps: Deps) {
  const app = routes();
  const run = async (c: RouteContext, question: Question) => {
    const { runQuery } = await import("../domain/queries/run-query.ts");
    const page = parse(pageQuery, c.req.query(), "query");
    return c.json(await runQuery(deps, c.var.principal, question, page));
  };
  app.get("/queries", async (c) =>
    c.json(
      await (
        await savedQueries()
      ).listQueries(deps, c.var.principal, parse(pageQuery, c.req.query(), "query")),
    ),
  );
  app.get("/queries/run", async (c) => run(c, await questionOf(deps, c)));
  app.get("/queries/:owner/:name", async (c) => c.json(await saved(deps, c)));
  app.get("/queries/:owner/:name/run", async (c) => run(c, await saved(deps, c)));
  app.put("/queries/:owner/:name", async (c) => {
    const { putQuerySchema } = await import("#protocol/saved-query.ts");
    const request = await readJson(c.req.raw, putQuerySchema);
    const which = [c.req.param("owner"), c.req.param("name")] as const;
    return c.json(await (await savedQueries()).putQuery(deps, c.var.principal, which, request));
  });
  app.delete("/queries/:owner/:name", async (c) => {
    await (
      await savedQueries()
    ).removeQuery(deps, c.var.principal, c.req.param("owner"), c.req.param("name"));
    return c.body(null, 204);
  });
  app.get("/charts/pass-rate", async (c) => {
    const { chartPassRate } = await import("../domain/queries/charts.ts");
    const drawn = parse(chartQuery, c.req.query(), "query");
    const question = { ...(await questionOf(deps, c)), ...drawn };
    return c.json(await chartPassRate(deps, c.var.principal, question));
  });
  app.get("/charts/measurement", async (c) => {
    const { chartMeasurement } = await import("../domain/queries/charts.ts");
    const { case: name, suite } = parse(measurementQuery, c.req.query(), "query");
    const drawn = parse(chartQuery, c.req.query(), "query");
    const question = { ...(await questionOf(deps, c)), ...drawn };
    return c.json(await chartMeasurement(deps, c.var.principal, question, { suite, name }));
  });
  app.get("/flaky", async (c) => {
    const { flakyTests } = await import("../domain/queries/flaky-tests.ts");
    const { jobs, by } = parse(flakyQuery, c.req.query(), "query");
    const { conditions } = await questionOf(deps, c);
    const attributes = by.split(",").filter(Boolean);
    const request = { conditions, jobs, by: attributes };
    return c.json(await flakyTests(deps, c.var.principal, request));
  });
  app.get("/compare", async (c) => {
    const { compareJobs } = await import("../domain/queries/compare-jobs.ts");
    const asked = parse(compareQuery, c.req.query(), "query");
    return c.json(await compareJobs(deps, c.var.principal, asked));
  });
  return app;
}

const saved = async (deps: Deps, c: RouteContext) =>
  (await savedQueries()).getQuery(
    deps,
    c.var.principal,
    c.req.param("owner") ?? "",
    c.req.param("name") ?? "",
  );

/** What a request asks, with the page that it wants. */
async function questionOf(deps: Deps, c: RouteContext) {
  const { query, entity, conditions, limit, cursor } = parse(questionQuery, c.req.query(), "query");
  const page = { cursor, ...(limit === undefined ? {} : { limit }) };
  const more = (await conditionText()).parseConditions(conditions, entity);
  if (query === undefined) return { entity, conditions: more, limit: 200, ...page };
  const found = await namedQuery(deps, c.var.principal, query);
  return { ...found, conditions: [...found.conditions, ...more], ...page };
}

/** A saved query by `OWNER/NAME`. */
export async function namedQuery(deps: Deps, principal: Principal, text: string) {
  const [owner = "", name = "", ...rest] = text.split("/");
  if (name === "" || rest.length > 0) {
    throw new AppError("invalid", `query: expected OWNER/NAME, not ${JSON.stringify(text)}`);
  }
  return (await savedQueries()).getQuery(deps, principal, owner, name);
}
