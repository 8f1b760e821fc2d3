import type { Deps } from "../domain/deps.ts";
import { requireAdmin } from "../domain/principal.ts";
import { readJson } from "./read-body.ts";
import { jobIdOf, routes } from "./route.ts";

/** `/api/v1/retention`, `/api/v1/jobs/ID/keep` */
export function retentionRoutes(deps: Deps) {
  const app = routes();
  const load = () => import("../domain/retention/kept-jobs.ts");
  app.post("/retention/run", async (c) => {
    requireAdmin(c.var.principal);
    const { runRetentionSchema } = await import("#protocol/retention.ts");
    const request = await readJson(c.req.raw, runRetentionSchema);
    const { runRetention } = await import("../domain/retention/retention-step.ts");
    return c.json(await runRetention(deps, c.var.principal, request));
  });
  app.get("/jobs/:id/keep", async (c) =>
    c.json(await (await load()).whoKeeps(deps, c.var.principal, jobIdOf(c))),
  );
  app.put("/jobs/:id/keep", async (c) =>
    c.json(await (await load()).keepJob(deps, c.var.principal, jobIdOf(c), true)),
  );
  app.delete("/jobs/:id/keep", async (c) =>
    c.json(await (await load()).keepJob(deps, c.var.principal, jobIdOf(c), false)),
  );
  return app;
}
