import type { Context, Hono } from "hono";
import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import { readLog } from "../domain/job-log.ts";
import { cancelJob, getJob, readDefinition } from "../domain/jobs.ts";
import { listResults } from "../domain/results.ts";
import { parse } from "../http/read-body.ts";
import { jobIdOf, queryNumber, type Env } from "../http/route.ts";
import { DefinitionPage } from "./definition-page.tsx";
import { JobPage, JobParts } from "./job-page.tsx";
import { KEPT_LINES, SERVED_LINES } from "./log-panel.tsx";
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
    const lastPart = Math.max(0, live.job.log_lines - KEPT_LINES + SERVED_LINES);
    const from = Math.min(start ?? lastPart, live.job.log_lines);
    const range = { start: from, end: from + SERVED_LINES, attempt: live.job.attempt ?? 1 };
    const log = await readLog(deps, c.var.principal, live.job.id, range);
    return c.html(<JobPage {...live} log={log} />);
  });
  app.get("/jobs/:id/parts", async (c) => {
    const { attempt } = parse(partsQuery, c.req.query(), "query");
    return c.html(<JobParts {...await readLive(deps, readTimeline, viewOf, c, attempt)} />);
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
        view={await viewOf(c)}
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
  viewOf: ViewOf,
  c: Context<Env>,
  attempt: number | undefined,
) {
  const job = await getJob(deps, c.var.principal, jobIdOf(c), attempt);
  const timeline = await readTimeline(c.var.principal, job);
  const { results } = await listResults(deps, c.var.principal, job.id, job.attempt ?? 1);
  return { view: await viewOf(c), job, timeline, results };
}
