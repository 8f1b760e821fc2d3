import type { Context, Hono } from "hono";
import * as v from "valibot";
import type { JobView } from "#protocol/api.ts";
import type { Deps } from "../domain/deps.ts";
import { jobHistory } from "../domain/histories.ts";
import { readLog } from "../domain/job-log.ts";
import { getJob } from "../domain/jobs.ts";
import type { Principal } from "../domain/principal.ts";
import { listResults } from "../domain/results.ts";
import { mayChange } from "../domain/visible.ts";
import { parse } from "../http/read-body.ts";
import { jobIdOf, queryNumber, type Env } from "../http/route.ts";
import { readFailingLines } from "./failing-lines.tsx";
import { jobPartPages } from "./job-part-routes.tsx";
import { JobPage, JobParts } from "./job-page.tsx";
import { firstServedLine, SERVED_LINES } from "./log-panel.tsx";
import { createTimelineReader, type TimelineReader } from "./read-timeline.ts";
import type { ViewOf } from "./view.ts";

const partsQuery = v.object({ attempt: v.optional(queryNumber) });
const jobQuery = v.object({ ...partsQuery.entries, start: v.optional(queryNumber) });

/** `/jobs/ID` and what belongs to a job. */
export function jobPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  const readTimeline = createTimelineReader(deps);
  app.get("/jobs/:id", async (c) => {
    const { start, attempt } = parse(jobQuery, c.req.query(), "query");
    const live = await readLive(deps, readTimeline, viewOf, c, attempt);
    const from = Math.min(start ?? firstServedLine(live.job), live.job.log_lines);
    const range = { start: from, end: from + SERVED_LINES, attempt: live.job.attempt ?? 1 };
    const log = await readLog(deps, c.var.principal, live.job.id, range);
    return c.html(<JobPage {...live} log={log} />);
  });
  app.get("/jobs/:id/parts", async (c) => {
    const { attempt } = parse(partsQuery, c.req.query(), "query");
    return c.html(<JobParts {...await readLive(deps, readTimeline, viewOf, c, attempt)} />);
  });
  jobPartPages(app, deps, viewOf, readTimeline);
}

/** What a job's page shows and refreshes. */
async function readLive(
  deps: Deps,
  readTimeline: TimelineReader,
  viewOf: ViewOf,
  c: Context<Env>,
  attempt: number | undefined,
) {
  const { principal } = c.var;
  const job = await getJob(deps, principal, jobIdOf(c), attempt);
  const timeline = await readTimeline(principal, job);
  const { results } = await listResults(deps, principal, job.id, job.attempt ?? 1);
  const failingLines = await readFailingLines(deps, principal, job, timeline);
  const canceled = await whoCanceled(deps, principal, job);
  const view = await viewOf(c);
  const may = !view.archive && (await mayChange(deps, principal, job.id));
  return { view, job, timeline, results, failingLines, canceled, mayChange: may };
}

/** The first change that says so; what people do with a job is not much. */
async function whoCanceled(deps: Deps, principal: Principal, { id, state, health }: JobView) {
  if (state !== "Canceling" && health !== "Canceled") return undefined;
  const { changes } = await jobHistory(deps, principal, id, { limit: 20 });
  return changes.findLast(
    ({ changed }) => changed["state"]?.[1] === "Canceling" || changed["health"]?.[1] === "Canceled",
  );
}
