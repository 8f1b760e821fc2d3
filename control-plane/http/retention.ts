import { runRetentionSchema } from "#protocol/retention.ts";
import type { Deps } from "../domain/deps.ts";
import { requireAdmin } from "../domain/principal.ts";
import { keepJob, whoKeeps } from "../domain/retention/kept-jobs.ts";
import { readJson } from "./read-body.ts";
import { jobIdOf, routes } from "./route.ts";

/** `/api/v1/retention`, `/api/v1/jobs/ID/keep` */
export function retentionRoutes(deps: Deps) {
  const app = routes();
  app.post("/retention/run", async (c) => {
    requireAdmin(c.var.principal);
    const request = await readJson(c.req.raw, runRetentionSchema);
    const { runRetention } = await import("../domain/retention/retention-step.ts");
    return c.json(await runRetention(deps, c.var.principal, request));
  });
  app.get("/jobs/:id/keep", async (c) => c.json(await whoKeeps(deps, c.var.principal, jobIdOf(c))));
  app.put("/jobs/:id/keep", async (c) =>
    c.json(await keepJob(deps, c.var.principal, jobIdOf(c), true)),
  );
  app.delete("/jobs/:id/keep", async (c) =>
    c.json(await keepJob(deps, c.var.principal, jobIdOf(c), false)),
  );
  return app;
}
