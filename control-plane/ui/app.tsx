import { Hono, type Context } from "hono";
import { compress } from "hono/compress";
import * as v from "valibot";
import { jobHealthSchema, jobStateSchema } from "#protocol/states.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { listDeviceTypes, someDeviceTypeNames } from "../domain/device-types.ts";
import { listDevices } from "../domain/devices.ts";
import { readLog } from "../domain/job-log.ts";
import {
  cancelJob,
  getJob,
  listJobs,
  MAX_DEFINITION_BYTES,
  readDefinition,
  readSubmitted,
} from "../domain/jobs.ts";
import { requireReader, requireUser } from "../domain/principal.ts";
import { readQueue } from "../domain/queue.ts";
import { listResults } from "../domain/results.ts";
import { findRollout } from "../domain/rollout-record.ts";
import { findVisibleSubJob } from "../domain/visible.ts";
import { listWorkers } from "../domain/workers.ts";
import { openPrincipal } from "../http/open-principal.ts";
import { parse, readText } from "../http/read-body.ts";
import { jobIdOf, queryNumber, type Env } from "../http/route.ts";
import { accountPages } from "./account-routes.tsx";
import { loadAssets } from "./assets.ts";
import { DefinitionPage } from "./definition-page.tsx";
import { devicePages } from "./device-routes.tsx";
import { DevicesPage } from "./devices-page.tsx";
import { errorResponse } from "./error-response.tsx";
import { JobPage, JobParts, KEPT_LINES, SERVED_LINES } from "./job-page.tsx";
import { JobsPage } from "./jobs-page.tsx";
import { QueuePage } from "./queue-page.tsx";
import { queryPages } from "./query-routes.tsx";
import { createTimelineReader, type TimelineReader } from "./read-timeline.ts";
import { securityHeaders } from "./security-headers.ts";
import { signInRoutes } from "./sign-in-routes.tsx";
import { SubmitPage } from "./submit-page.tsx";
import { terminalPages } from "./terminal-routes.tsx";
import type { View } from "./view.ts";
import { WorkersPage } from "./workers-page.tsx";

/** The pages, for browsers with a session. Mounted last: it answers every path that nothing else has. */
export function uiApp(deps: Deps): Hono<Env> {
  const app = new Hono<Env>();
  app.onError((error, c) => errorResponse(deps, error, c));
  app.use(securityHeaders(deps.settings.blobOrigin), compress());
  app.get("/assets/:name", async (c) => {
    const asset = (await loadAssets()).find(c.req.path);
    if (!asset) throw new AppError("not_found", `there is nothing at ${c.req.path}`);
    c.header("cache-control", "public, max-age=31536000, immutable");
    return c.body(asset.body, 200, { "content-type": asset.mediaType });
  });
  app.route("/", signInRoutes(deps));
  app.use(async (c, next) => {
    c.set("principal", await openPrincipal(deps, c.req.raw));
    await next();
  });
  app.use("/jobs/:id/*", async (c, next) => {
    const id = await findVisibleSubJob(deps, c.var.principal, c.req.param("id"));
    if (id !== undefined) c.set("subJob", id);
    await next();
  });
  jobPages(app, deps);
  submitPages(app, deps);
  labPages(app, deps);
  devicePages(app, deps, (c) => viewOf(deps, c));
  accountPages(app, deps);
  terminalPages(app, deps);
  queryPages(app, deps, (c) => viewOf(deps, c));
  app.all("*", (c) => {
    throw new AppError("not_found", `there is nothing at ${c.req.path}`);
  });
  return app;
}

const optionalText = v.optional(
  v.pipe(
    v.string(),
    v.transform((text) => text.trim() || undefined),
  ),
);
const jobsQuery = v.object({
  state: v.optional(
    v.union([
      v.pipe(
        v.literal(""),
        v.transform(() => undefined),
      ),
      jobStateSchema,
    ]),
  ),
  health: v.optional(
    v.union([
      v.pipe(
        v.literal(""),
        v.transform(() => undefined),
      ),
      jobHealthSchema,
    ]),
  ),
  device: optionalText,
  device_type: optionalText,
  submitter: optionalText,
  cursor: optionalText,
  trail: v.optional(v.pipe(v.string(), v.regex(/^[\w.-]*$/))),
});
const partsQuery = v.object({ attempt: v.optional(queryNumber) });
const jobQuery = v.object({ ...partsQuery.entries, start: v.optional(queryNumber) });

function jobPages(app: Hono<Env>, deps: Deps): void {
  const readTimeline = createTimelineReader(deps);
  app.get("/", async (c) => {
    const query = parse(jobsQuery, c.req.query(), "query");
    const list = await listJobs(deps, c.var.principal, query);
    const deviceTypes = await someDeviceTypeNames(deps, c.var.principal);
    return c.html(
      <JobsPage view={await viewOf(deps, c)} list={list} query={query} deviceTypes={deviceTypes} />,
    );
  });
  app.get("/jobs", (c) => {
    requireReader(c.var.principal);
    return c.redirect("/");
  });
  app.get("/jobs/:id", async (c) => {
    const { start, attempt } = parse(jobQuery, c.req.query(), "query");
    const live = await readLive(deps, readTimeline, c, attempt);
    const lastPart = Math.max(0, live.job.log_lines - KEPT_LINES + SERVED_LINES);
    const from = Math.min(start ?? lastPart, live.job.log_lines);
    const range = { start: from, end: from + SERVED_LINES, attempt: live.job.attempt ?? 1 };
    const log = await readLog(deps, c.var.principal, live.job.id, range);
    return c.html(<JobPage {...live} log={log} />);
  });
  app.get("/jobs/:id/parts", async (c) => {
    const { attempt } = parse(partsQuery, c.req.query(), "query");
    return c.html(<JobParts {...await readLive(deps, readTimeline, c, attempt)} />);
  });
  app.post("/jobs/:id/cancel", async (c) => {
    const { id } = await cancelJob(deps, c.var.principal, jobIdOf(c));
    return c.redirect(`/jobs/${id}`, 303);
  });
  app.get("/jobs/:id/definition", async (c) => {
    const { id, description, group } = await getJob(deps, c.var.principal, jobIdOf(c));
    const text = await readDefinition(deps, c.var.principal, id);
    return c.html(
      <DefinitionPage
        view={await viewOf(deps, c)}
        jobId={id}
        description={description}
        isOfGroup={group !== undefined}
        text={text}
      />,
    );
  });
}

/** What a job's page shows and refreshes. */
async function readLive(
  deps: Deps,
  readTimeline: TimelineReader,
  c: Context<Env>,
  attempt: number | undefined,
) {
  const job = await getJob(deps, c.var.principal, jobIdOf(c), attempt);
  const timeline = await readTimeline(c.var.principal, job);
  const { results } = await listResults(deps, c.var.principal, job.id, job.attempt ?? 1);
  return { view: await viewOf(deps, c), job, timeline, results };
}

const submitQuery = v.object({ from: v.optional(queryNumber) });
/** A form escapes what it sends: three bytes for one at the most, and the name of the field. */
const MAX_FORM_BYTES = 3 * MAX_DEFINITION_BYTES + 100;

function submitPages(app: Hono<Env>, deps: Deps): void {
  app.get("/submit", async (c) => {
    requireUser(c.var.principal);
    const { from } = parse(submitQuery, c.req.query(), "query");
    const text = from === undefined ? "" : await readSubmitted(deps, c.var.principal, from);
    return c.html(<SubmitPage view={await viewOf(deps, c)} text={text} />);
  });
  app.post("/submit", async (c) => {
    const form = new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES));
    // A form sends its line breaks as CR LF, whatever was pasted.
    const text = (form.get("definition") ?? "").replaceAll("\r\n", "\n");
    try {
      const { submitJob } = await import("../domain/submit-job.ts");
      const { job_ids } = await submitJob(deps, c.var.principal, text);
      return c.redirect(`/jobs/${job_ids[0]}`, 303);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "invalid") throw error;
      const refusal = { message: error.message, problems: error.problems ?? [] };
      return c.html(<SubmitPage view={await viewOf(deps, c)} text={text} refusal={refusal} />, 400);
    }
  });
}

const auditQuery = v.object({
  ...{ kind: optionalText, name: optionalText, who: optionalText },
  ...{ from: optionalText, to: optionalText, cursor: optionalText },
});
const queueQuery = v.object({ device_type: optionalText });

function labPages(app: Hono<Env>, deps: Deps): void {
  app.get("/queue", async (c) => {
    const { device_type: type } = parse(queueQuery, c.req.query(), "query");
    const { principal } = c.var;
    const { device_types } = await listDeviceTypes(deps, principal, { limit: 200 });
    const types = device_types.filter(({ name, queued }) => queued > 0 || name === type);
    const queue = type === undefined ? undefined : await readQueue(deps, principal, type, 100);
    return c.html(<QueuePage view={await viewOf(deps, c)} types={types} queue={queue} />);
  });
  app.get("/devices", async (c) => {
    const { devices, next_cursor } = await listDevices(deps, c.var.principal, {
      cursor: c.req.query("cursor"),
    });
    return c.html(
      <DevicesPage view={await viewOf(deps, c)} devices={devices} nextCursor={next_cursor} />,
    );
  });
  app.get("/audit", async (c) => {
    const query = parse(auditQuery, c.req.query(), "query");
    const { readAudit } = await import("../domain/audit.ts");
    const { AuditPage } = await import("./audit-page.tsx");
    const page = await readAudit(deps, c.var.principal, query);
    return c.html(<AuditPage view={await viewOf(deps, c)} page={page} query={query} />);
  });
  app.get("/workers", async (c) => {
    const { workers, next_cursor } = await listWorkers(deps, c.var.principal, {
      cursor: c.req.query("cursor"),
    });
    const rollout = (await findRollout(deps))?.data;
    const page = { view: await viewOf(deps, c), workers, rollout, nextCursor: next_cursor };
    return c.html(<WorkersPage {...page} />);
  });
  workerPages(app, deps);
}

/** `/workers/NAME`, its texts and its forms; what they need is loaded when they are asked for. */
function workerPages(app: Hono<Env>, deps: Deps): void {
  const rules = () => import("./worker-routes.tsx");
  app.get("/workers/:name", async (c) =>
    (await rules()).showWorker(deps, c, c.req.param("name"), await viewOf(deps, c)),
  );
  app.post("/workers/:name/health", async (c) =>
    (await rules()).setHealthByForm(deps, c, c.req.param("name")),
  );
  app.get("/workers/:name/texts/:text", async (c) =>
    (await rules()).showWorkerText(deps, c, c.req.param("name"), await viewOf(deps, c)),
  );
  app.post("/workers/:name/texts/:text", async (c) =>
    (await rules()).putTextByForm(deps, c, c.req.param("name"), await viewOf(deps, c)),
  );
}

async function viewOf(deps: Deps, c: Context<Env>): Promise<View> {
  const { principal } = c.var;
  const archive = deps.settings.archive ?? false;
  const view = { assets: await loadAssets(), now: deps.system.now(), archive };
  if (principal.kind !== "user" && principal.kind !== "session") return view;
  return { ...view, user: { name: principal.name, admin: principal.admin } };
}
