import type { Context } from "hono";
import * as v from "valibot";
import type { JobView } from "#protocol/api.ts";
import type { Deps } from "../domain/deps.ts";
import { someDeviceTypeNames } from "../domain/device-types.ts";
import { listJobs } from "../domain/jobs.ts";
import { requireUser } from "../domain/principal.ts";
import { listJobsViews, removeJobsView, saveJobsView } from "../domain/queries/job-views.ts";
import { parse, readText } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { addressOf } from "./export-links.tsx";
import { exported, exportFormat } from "./export-rows.ts";
import { jobsFilter, timesOf } from "./jobs-filter.ts";
import { JobsPage, MOST_EXPORTED } from "./jobs-page.tsx";
import { optionalText } from "./page-query.ts";
import type { View } from "./view.ts";

const jobsQuery = v.object({
  ...jobsFilter.entries,
  cursor: optionalText,
  trail: v.optional(v.pipe(v.string(), v.regex(/^[\w.-]*$/))),
  format: exportFormat,
});
const viewForm = v.object({
  ...jobsFilter.entries,
  name: v.pipe(v.string(), v.trim(), v.minLength(1, "expected a name"), v.maxLength(60)),
});
const removalForm = v.object({ name: v.string() });
const MAX_FORM_BYTES = 8192;

/** `/`: jobs as the address filters them, or the same as a file. */
export async function showJobs(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { format, trail, ...query } = parse(jobsQuery, c.req.query(), "query");
  const { principal } = c.var;
  const filter = timesOf(query);
  if (format !== undefined) {
    const { jobs } = await listJobs(deps, principal, { ...filter, limit: MOST_EXPORTED });
    return exported(c, format, "jobs", jobs.map(asRow));
  }
  const list = await listJobs(deps, principal, filter);
  const [deviceTypes, views] = await Promise.all([
    someDeviceTypeNames(deps, principal),
    listJobsViews(deps, principal),
  ]);
  const shown = { view, list, query: { ...query, trail }, deviceTypes, views };
  return c.html(<JobsPage {...shown} />) as Response;
}

/** Keeps the filter that a form has as a view of the person's own, and shows it. */
export async function saveViewByForm(deps: Deps, c: Context<Env>): Promise<Response> {
  requireUser(c.var.principal);
  const { name, ...filter } = parse(viewForm, await fieldsOf(c), "form");
  await saveJobsView(deps, c.var.principal, name, filter);
  return c.redirect(addressOf("/", filter), 303);
}

export async function removeViewByForm(deps: Deps, c: Context<Env>): Promise<Response> {
  requireUser(c.var.principal);
  const { name } = parse(removalForm, await fieldsOf(c), "form");
  await removeJobsView(deps, c.var.principal, name);
  return c.redirect("/", 303);
}

const fieldsOf = async (c: Context<Env>) =>
  Object.fromEntries(new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES)));

function asRow(job: JobView) {
  const { id, state, health, description, device_type, device, submitter, priority } = job;
  const { submit_time, start_time, end_time, error_type, error_msg, result_counts } = job;
  return {
    ...{ id, state, health, description, device_type, device, submitter, priority },
    ...{ submit_time, start_time, end_time, error_type, error_msg },
    ...result_counts,
  };
}
