import * as v from "valibot";
import { failJobSchema, patchJobSchema } from "#protocol/history.ts";
import { jobHealthSchema, jobStateSchema } from "#protocol/states.ts";
import type { Deps } from "../domain/deps.ts";
import {
  cancelJob,
  getJob,
  listJobs,
  MAX_DEFINITION_BYTES,
  readDefinition,
  readMultinodeDefinition,
} from "../domain/jobs.ts";
import { jobHistory } from "../domain/histories.ts";
import { requireUser } from "../domain/principal.ts";
import { listResults } from "../domain/results.ts";
import { parse, readJson, readText } from "./read-body.ts";
import { jobIdOf, pageQuery, queryNumber, routes } from "./route.ts";

/** Loaded when it is asked for: most requests are others. */
const junit = () => import("../domain/junit.ts");
const dryRuns = () => import("../domain/dry-run.ts");
const annotations = () => import("../domain/annotations.ts");

const time = v.optional(
  v.pipe(
    v.string(),
    v.check((text) => !Number.isNaN(Date.parse(text)), "expected a time as 2026-11-22T08:00:00Z"),
  ),
);
const listQuery = v.object({
  state: v.optional(jobStateSchema),
  health: v.optional(jobHealthSchema),
  device: v.optional(v.string()),
  device_type: v.optional(v.string()),
  submitter: v.optional(v.string()),
  text: v.optional(v.string()),
  since: time,
  until: time,
  limit: v.optional(queryNumber),
  cursor: v.optional(v.string()),
});
const submitHeaders = v.object({
  /** Made up by the client, another one for each submission: the same one again makes no second job. */
  "idempotency-key": v.optional(v.pipe(v.string(), v.regex(/^[\x21-\x7e]{8,100}$/))),
});
/** Of a job with several attempts; the last one when not said. */
const attempt = v.optional(queryNumber);
const jobQuery = v.object({ attempt });
const resultsQuery = v.object({
  attempt,
  format: v.optional(v.picklist(["json", "junit"]), "json"),
});

/** `/api/v1/jobs` */
export function jobRoutes(deps: Deps) {
  const app = routes();
  app.post("/jobs", async (c) => {
    const principal = requireUser(c.var.principal);
    const text = await readText(c.req.raw, MAX_DEFINITION_BYTES);
    const { submitJob } = await import("../domain/submit-job.ts");
    const { "idempotency-key": key } = parse(submitHeaders, c.req.header(), "headers");
    return c.json(await submitJob(deps, principal, text, { key, warns: true }), 201);
  });
  app.post("/jobs/check", async (c) => {
    const principal = requireUser(c.var.principal);
    const text = await readText(c.req.raw, MAX_DEFINITION_BYTES);
    return c.json(await (await dryRuns()).checkOnly(deps, principal, text));
  });
  app.post("/jobs/dry-run", async (c) => {
    const principal = requireUser(c.var.principal);
    const text = await readText(c.req.raw, MAX_DEFINITION_BYTES);
    return c.json(await (await dryRuns()).dryRun(deps, principal, text));
  });
  app.get("/jobs", async (c) =>
    c.json(await listJobs(deps, c.var.principal, parse(listQuery, c.req.query(), "query"))),
  );
  app.get("/jobs/:id", async (c) => {
    const query = parse(jobQuery, c.req.query(), "query");
    return c.json(await getJob(deps, c.var.principal, jobIdOf(c), query.attempt));
  });
  app.post("/jobs/:id/cancel", async (c) =>
    c.json(await cancelJob(deps, c.var.principal, jobIdOf(c))),
  );
  app.patch("/jobs/:id", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, patchJobSchema);
    const { setPriority } = await import("../domain/urge-job.ts");
    return c.json(await setPriority(deps, principal, jobIdOf(c), request));
  });
  app.post("/jobs/:id/fail", async (c) => {
    const principal = requireUser(c.var.principal);
    const request = await readJson(c.req.raw, failJobSchema);
    const { failJob } = await import("../domain/urge-job.ts");
    return c.json(await failJob(deps, principal, jobIdOf(c), request));
  });
  app.post("/jobs/:id/annotations", async (c) => {
    const principal = requireUser(c.var.principal);
    const { annotateSchema } = await import("#protocol/annotations.ts");
    const request = await readJson(c.req.raw, annotateSchema);
    const { annotateJob } = await annotations();
    return c.json(await annotateJob(deps, principal, jobIdOf(c), request), 201);
  });
  app.delete("/jobs/:id/annotations/:annotation", async (c) => {
    const { removeAnnotation } = await annotations();
    await removeAnnotation(deps, c.var.principal, jobIdOf(c), c.req.param("annotation"));
    return c.body(null, 204);
  });
  app.get("/jobs/:id/history", async (c) => {
    const page = parse(pageQuery, c.req.query(), "query");
    return c.json(await jobHistory(deps, c.var.principal, jobIdOf(c), page));
  });
  app.get("/jobs/:id/definition", async (c) =>
    c.body(await readDefinition(deps, c.var.principal, jobIdOf(c)), 200, {
      "content-type": "application/yaml; charset=utf-8",
    }),
  );
  app.get("/jobs/:id/multinode-definition", async (c) =>
    c.body(await readMultinodeDefinition(deps, c.var.principal, jobIdOf(c)), 200, {
      "content-type": "application/yaml; charset=utf-8",
    }),
  );
  app.get("/jobs/:id/results", async (c) => {
    const query = parse(resultsQuery, c.req.query(), "query");
    const asked = [deps, c.var.principal, jobIdOf(c), query.attempt] as const;
    if (query.format === "json") return c.json(await listResults(...asked));
    return c.body(await (await junit()).junitReport(...asked), 200, {
      "content-type": "application/xml; charset=utf-8",
    });
  });
  return app;
}
