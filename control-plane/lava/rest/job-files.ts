import type { Deps } from "../../domain/deps.ts";
import { AppError } from "../../domain/app-error.ts";
import { getVisibleJob } from "../../domain/visible.ts";
import type { RouteContext } from "../../http/route.ts";
import { fileAnswer } from "../file-answer.ts";
import { jobIdIn } from "../job-id-in.ts";
import { suiteIdOf } from "../shapes/lava-suites.ts";
import { needs, restRoutes } from "./drf.ts";

/** Loaded when they are used: most requests are others. */
const results = () => import("../shapes/lava-results.ts");
const suites = () => import("../../domain/results/suites.ts");

/** `/api/v0.2/jobs/N/logs/`, and its results as files. */
export function restFileRoutes(deps: Deps) {
  const app = restRoutes(deps);
  const idOf = (c: RouteContext) => jobIdIn(deps, c.var.principal, c.req.param("id"));
  app.get("/jobs/:id/logs/", needs(deps, "read"), async (c) => {
    const id = await idOf(c);
    const [start, end] = [lineIn(c, "start"), lineIn(c, "end")];
    const job = await getVisibleJob(deps, c.var.principal, id);
    // As LAVA does where there is nothing (yet).
    if ((start ?? 0) >= job.log_lines) throw new AppError("not_found", "no such lines of the log");
    const { logYaml } = await import("../shapes/log-yaml.ts");
    const text = await logYaml(deps, c.var.principal, id, { start, end });
    const file = { type: "application/yaml", name: `job_${id}.yaml`, job: id };
    return fileAnswer(deps, c, text, file);
  });
  app.get("/jobs/:id/junit/", needs(deps, "read"), async (c) => {
    const { exportResults } = await import("../../domain/results/export-results.ts");
    const id = await idOf(c);
    const { text } = await exportResults(deps, c.var.principal, { id }, "junit");
    const file = { type: "application/xml", name: `job_${id}.xml`, job: id };
    return fileAnswer(deps, c, text, file);
  });
  app.get("/jobs/:id/tap13/", needs(deps, "read"), async (c) => {
    const { exportResults } = await import("../../domain/results/export-results.ts");
    const id = await idOf(c);
    const { text } = await exportResults(deps, c.var.principal, { id }, "tap");
    const file = { type: "application/yaml", name: `job_${id}.yaml`, job: id };
    return fileAnswer(deps, c, text, file);
  });
  app.get("/jobs/:id/metadata/", needs(deps, "read"), async (c) => {
    const { lavaMetadata } = await import("../shapes/job-metadata.ts");
    return c.json({ metadata: await lavaMetadata(deps, c.var.principal, await idOf(c)) });
  });
  for (const format of ["csv", "yaml"] as const) {
    app.get(`/jobs/:id/${format}/`, needs(deps, "read"), async (c) => {
      const { lavaResults } = await results();
      const id = await idOf(c);
      const text = await lavaResults(deps, c.var.principal, { id }, format);
      const file = { type: `application/${format}`, name: `job_${id}.${format}`, job: id };
      return fileAnswer(deps, c, text, file);
    });
    app.get(`/jobs/:id/suites/:suite/${format}/`, needs(deps, "read"), async (c) => {
      const { lavaResults } = await results();
      const id = await idOf(c);
      const suite = await suiteNameOf(deps, c, id);
      const text = await lavaResults(deps, c.var.principal, { id, suite }, format);
      const file = { type: `application/${format}`, name: `job_${id}_${suite}.${format}`, job: id };
      return fileAnswer(deps, c, text, file);
    });
  }
  return app;
}

/** A path names a suite by its number or by its name. */
async function suiteNameOf(deps: Deps, c: RouteContext, id: number): Promise<string> {
  const named = c.req.param("suite") ?? "";
  const all = await (await suites()).listSuites(deps, c.var.principal, { id });
  const found = all.suites.find((suite) => String(suiteIdOf(id, suite)) === named);
  return found?.name ?? named;
}

/** Nothing for what is no line, as in LAVA; 0 as an end means all. */
function lineIn(c: RouteContext, name: "start" | "end"): number | undefined {
  const text = c.req.query(name) ?? "";
  const line = /^\d{1,12}$/.test(text) ? Number(text) : undefined;
  return name === "end" && line === 0 ? undefined : line;
}
