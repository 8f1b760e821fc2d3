import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { getVisibleJob } from "../../domain/visible.ts";
import type { RouteContext } from "../../http/route.ts";
import { fileAnswer } from "../file-answer.ts";
import { jobIdIn } from "../job-id-in.ts";
import { readCaseId } from "../shapes/lava-ids.ts";
import { reads, urlRoutes } from "./url-routes.ts";

/** Loaded when they are used: most requests are others. */
const results = () => import("../shapes/lava-results.ts");

/** `/results/...`: a job's results as files, whole or of one suite, and where a test case of a number is to be seen. */
export function resultUrlRoutes(deps: Deps) {
  const app = urlRoutes(deps);
  const idOf = (c: RouteContext) => jobIdIn(deps, c.var.principal, c.req.param("id"));
  app.get("/results/testcase/:case", reads(deps), async (c) => {
    const found = readCaseId(c.req.param("case"));
    if (!found) throw new AppError("not_found", "there is no test case of this number here");
    await getVisibleJob(deps, c.var.principal, found.job);
    const start = Math.max(0, found.line - 100);
    return c.redirect(`/jobs/${found.job}?start=${start}#L${found.line + 1}`, 302);
  });
  for (const format of ["csv", "yaml"] as const) {
    app.get(`/results/:id/${format}`, reads(deps), async (c) => {
      const id = await idOf(c);
      const text = await (await results()).lavaResults(deps, c.var.principal, { id }, format);
      const file = { type: `text/${format}`, name: `lava_${id}.${format}`, job: id };
      return fileAnswer(deps, c, text, file);
    });
    app.get(`/results/:id/:suite/${format}`, reads(deps), async (c) => {
      const id = await idOf(c);
      const suite = c.req.param("suite");
      const which = { id, suite };
      const text = await (await results()).lavaResults(deps, c.var.principal, which, format);
      const file = { type: `text/${format}`, name: `lava_${suite}.${format}`, job: id };
      return fileAnswer(deps, c, text, file);
    });
  }
  const junit = async (c: RouteContext, suite?: string) => {
    const { exportResults } = await import("../../domain/results/export-results.ts");
    const id = await idOf(c);
    const { text } = await exportResults(deps, c.var.principal, { id, suite }, "junit");
    const file = { type: "application/xml", name: `job_${id}.xml`, job: id };
    return fileAnswer(deps, c, text, file);
  };
  app.get("/results/:id/junit", reads(deps), (c) => junit(c));
  app.get("/results/:id/:suite/junit", reads(deps), (c) => junit(c, c.req.param("suite")));
  return app;
}
