import {
  finishRequestSchema,
  logCommitRequestSchema,
  logUploadRequestSchema,
} from "#protocol/worker-api.ts";
import type { Deps } from "../domain/deps.ts";
import { finishJob } from "../domain/finish-job.ts";
import { commitChunk, logTail, requestUpload } from "../domain/log-chunks.ts";
import { requireJob } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { jobIdOf, routes } from "./route.ts";

/** What a worker reports with a job's token: worker-api.ts. */
export function jobReportRoutes(deps: Deps) {
  const app = routes();
  app.post("/jobs/:id/log-uploads", async (c) => {
    requireJob(c.var.principal, jobIdOf(c));
    const request = await readJson(c.req.raw, logUploadRequestSchema);
    return c.json(await requestUpload(deps, c.var.principal, jobIdOf(c), request));
  });
  app.post("/jobs/:id/log-chunks", async (c) => {
    requireJob(c.var.principal, jobIdOf(c));
    const request = await readJson(c.req.raw, logCommitRequestSchema);
    return c.json(await commitChunk(deps, c.var.principal, jobIdOf(c), request));
  });
  app.get("/jobs/:id/log-tail", async (c) =>
    c.json(await logTail(deps, c.var.principal, jobIdOf(c))),
  );
  app.post("/jobs/:id/finish", async (c) => {
    requireJob(c.var.principal, jobIdOf(c));
    const request = await readJson(c.req.raw, finishRequestSchema);
    await finishJob(deps, c.var.principal, jobIdOf(c), request);
    return c.json({});
  });
  return app;
}
