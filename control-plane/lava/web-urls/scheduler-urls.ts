import type { JobRecord } from "../../domain/job-record.ts";
import type { Deps } from "../../domain/deps.ts";
import { readDefinition, readMultinodeDefinition } from "../../domain/jobs.ts";
import { getVisibleJob } from "../../domain/visible.ts";
import type { RouteContext } from "../../http/route.ts";
import { asFile, fileAnswer } from "../file-answer.ts";
import { jobIdIn } from "../job-id-in.ts";
import { reads, urlRoutes } from "./url-routes.ts";

/** Loaded when they are used: most requests are others. */
const logs = () => import("../shapes/log-yaml.ts");
const jobLog = () => import("../../domain/job-log.ts");

/** `/scheduler/...`: definitions, logs and dictionaries as files, and what LAVA's job page asks again and again. */
export function schedulerUrlRoutes(deps: Deps) {
  const app = urlRoutes(deps);
  const idOf = (c: RouteContext) => jobIdIn(deps, c.var.principal, c.req.param("id"));
  const definition = async (c: RouteContext, read: typeof readDefinition) => {
    const id = await idOf(c);
    return c.body(await read(deps, c.var.principal, id), 200, {
      "content-type": "text/plain; charset=utf-8",
      "content-disposition": `attachment; filename=job_${id}.yaml`,
      "x-content-type-options": "nosniff",
    });
  };
  app.get("/scheduler/job/:id/definition/plain", reads(deps), (c) => definition(c, readDefinition));
  app.get("/scheduler/job/:id/multinode_definition/plain", reads(deps), (c) =>
    definition(c, readMultinodeDefinition),
  );
  app.get("/scheduler/job/:id/log_file/plain", reads(deps), async (c) => {
    const id = await idOf(c);
    const text = await (await logs()).logYaml(deps, c.var.principal, id);
    const file = { type: "application/yaml", name: `job_${id}.log`, job: id };
    return fileAnswer(deps, c, text, file);
  });
  app.get("/scheduler/job/:id/log_pipeline_incremental", reads(deps), async (c) => {
    const { readLog } = await jobLog();
    const start = lineIn(c);
    const { records, complete } = await readLog(deps, c.var.principal, await idOf(c), { start });
    const { logLine } = await logs();
    return c.body(`[${records.map((record) => logLine(record)).join(", ")}]`, 200, {
      "content-type": "application/json",
      // A page may end before the log does: then there is more to ask for.
      ...(complete ? { "x-is-finished": "1" } : {}),
    });
  });
  app.get("/scheduler/job/:id/job_status", reads(deps), async (c) => {
    const job = await getVisibleJob(deps, c.var.principal, await idOf(c));
    return c.json(jobStatus(job, deps.system.now()));
  });
  app.get("/scheduler/device/:hostname/devicedict/plain", reads(deps), async (c) => {
    const { deviceConfiguration } = await import("../../domain/device-texts.ts");
    const text = await deviceConfiguration(deps, c.var.principal, c.req.param("hostname"));
    return asFile(c, text, "text/yaml", `${c.req.param("hostname")}.yaml`);
  });
  return app;
}

const lineIn = (c: RouteContext): number => {
  const text = c.req.query("line") ?? "0";
  return /^\d{1,12}$/.test(text) ? Number(text) : 0;
};

/** What LAVA's page shows of a job: pieces of HTML there, text here. `X-JobState` is 1 once it is over. */
function jobStatus(job: JobRecord, now: number): object {
  const { state, health, device, start_time, end_time, error_msg, sub_id } = job;
  const until = end_time === undefined ? now : Date.parse(end_time);
  const seconds = start_time === undefined ? 0 : (until - Date.parse(start_time)) / 1000;
  return {
    actual_device: device ?? null,
    duration: start_time === undefined ? null : `${Math.round(seconds)} seconds`,
    job_state: state === "Finished" ? health : state,
    failure_comment: error_msg ?? null,
    started: start_time ?? null,
    subjobs: sub_id === undefined ? [] : [sub_id],
    "X-JobState": state === "Finished" ? "1" : "0",
  };
}
