import type { Context, Hono } from "hono";
import * as v from "valibot";
import { testResultSchema } from "#protocol/states.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { jobHistory } from "../domain/histories.ts";
import { cancelJob, getJob, readDefinition, readMultinodeDefinition } from "../domain/jobs.ts";
import { requireUser } from "../domain/principal.ts";
import { readMetadata } from "../domain/results/suites.ts";
import { listResults } from "../domain/results.ts";
import { mayChange } from "../domain/visible.ts";
import { parse, readText } from "../http/read-body.ts";
import { jobIdOf, queryNumber, type Env } from "../http/route.ts";
import { CancelPage } from "./cancel-page.tsx";
import { DefinitionPage } from "./definition-page.tsx";
import { JobDevicePage } from "./job-device-page.tsx";
import { MetadataPage } from "./metadata-page.tsx";
import { optionalText } from "./page-query.ts";
import { PlanPage } from "./plan-page.tsx";
import type { TimelineReader } from "./read-timeline.ts";
import { ResultsPage } from "./results-page.tsx";
import { SimilarPage } from "./similar-page.tsx";
import type { ViewOf } from "./view.ts";

const definitionQuery = v.object({ of: v.optional(v.literal("all")) });
const attemptQuery = v.object({ attempt: v.optional(queryNumber) });
const blank = v.pipe(
  v.literal(""),
  v.transform(() => undefined),
);
const resultsQuery = v.object({
  ...attemptQuery.entries,
  result: v.optional(v.union([blank, testResultSchema])),
  suite: optionalText,
  q: optionalText,
  page: v.optional(queryNumber),
});
/** A form escapes what it sends: three bytes for one at the most. */
const MAX_FORM_BYTES = 8192;
const CHANGES = 100;

/** The pages of a job beside the one with its log, and what their forms do. */
export function jobPartPages(
  app: Hono<Env>,
  deps: Deps,
  viewOf: ViewOf,
  readTimeline: TimelineReader,
): void {
  const jobOf = (c: Context<Env>, attempt?: number) =>
    getJob(deps, c.var.principal, jobIdOf(c), attempt);
  app.get("/jobs/:id/definition", async (c) => {
    const { of } = parse(definitionQuery, c.req.query(), "query");
    const job = await jobOf(c);
    const read = of === "all" ? readMultinodeDefinition : readDefinition;
    const text = await read(deps, c.var.principal, job.id);
    const page = { view: await viewOf(c), job, text, isOfAll: of === "all" };
    return c.html(<DefinitionPage {...page} />);
  });
  app.get("/jobs/:id/plan", async (c) => {
    const { attempt } = parse(attemptQuery, c.req.query(), "query");
    const job = await jobOf(c, attempt);
    const { jobPlan } = await import("../domain/job-plan.ts");
    const plan = await jobPlan(deps, c.var.principal, job.id, attempt);
    const timeline = await readTimeline(c.var.principal, job);
    return c.html(<PlanPage view={await viewOf(c)} job={job} plan={plan} timeline={timeline} />);
  });
  app.get("/jobs/:id/device", async (c) => {
    const { attempt } = parse(attemptQuery, c.req.query(), "query");
    const job = await jobOf(c, attempt);
    const { jobDevice } = await import("../domain/job-device.ts");
    const device = await jobDevice(deps, c.var.principal, job.id, attempt);
    return c.html(<JobDevicePage view={await viewOf(c)} job={job} device={device} />);
  });
  app.get("/jobs/:id/similar", async (c) => {
    const job = await jobOf(c);
    const { similarJobs } = await import("../domain/similar-jobs.ts");
    const jobs = await similarJobs(deps, c.var.principal, job.id);
    return c.html(<SimilarPage view={await viewOf(c)} job={job} jobs={jobs} />);
  });
  app.get("/jobs/:id/results", async (c) => {
    const query = parse(resultsQuery, c.req.query(), "query");
    const job = await jobOf(c, query.attempt);
    const { results } = await listResults(deps, c.var.principal, job.id, job.attempt ?? 1);
    return c.html(<ResultsPage view={await viewOf(c)} job={job} results={results} query={query} />);
  });
  app.get("/jobs/:id/metadata", (c) => showMetadata(deps, viewOf, c));
  app.post("/jobs/:id/annotations", async (c) => {
    const { annotateJob } = await import("../domain/annotations.ts");
    const { annotateSchema } = await import("#protocol/annotations.ts");
    const { text = "", cause } = await readForm(c);
    try {
      const annotation = parse(annotateSchema, { text, cause: cause || undefined }, "form");
      await annotateJob(deps, requireUser(c.var.principal), jobIdOf(c), annotation);
      return c.redirect(`/jobs/${jobIdOf(c)}`, 303);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "invalid") throw error;
      c.status(400);
      return showMetadata(deps, viewOf, c, { refusal: error.message, text });
    }
  });
  app.post("/jobs/:id/annotations/:annotation/remove", async (c) => {
    const { removeAnnotation } = await import("../domain/annotations.ts");
    await removeAnnotation(deps, c.var.principal, jobIdOf(c), c.req.param("annotation"));
    return c.redirect(`/jobs/${jobIdOf(c)}/metadata#annotations`, 303);
  });
  app.get("/jobs/:id/cancel", async (c) =>
    c.html(<CancelPage view={await viewOf(c)} job={await jobOf(c)} />),
  );
  app.post("/jobs/:id/cancel", async (c) => {
    const { id } = await cancelJob(deps, c.var.principal, jobIdOf(c));
    return c.redirect(`/jobs/${id}`, 303);
  });
}

async function showMetadata(
  deps: Deps,
  viewOf: ViewOf,
  c: Context<Env>,
  refused: { refusal?: string; text?: string } = {},
): Promise<Response> {
  const { principal } = c.var;
  const job = await getJob(deps, principal, jobIdOf(c));
  const { metadata } = await readMetadata(deps, principal, { id: job.id });
  const { changes } = await jobHistory(deps, principal, job.id, { limit: CHANGES });
  const view = await viewOf(c);
  const may = !view.archive && (await mayChange(deps, principal, job.id));
  const page = { view, job, metadata, changes, mayChange: may, ...refused };
  return c.html(<MetadataPage {...page} />) as Response;
}

const readForm = async (c: Context<Env>): Promise<Record<string, string>> =>
  Object.fromEntries(new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES)));
