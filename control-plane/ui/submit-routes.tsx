import type { Hono } from "hono";
import * as v from "valibot";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { MAX_DEFINITION_BYTES, readSubmitted } from "../domain/jobs.ts";
import { lastJobOf } from "../domain/last-job.ts";
import { requireUser, type Principal, type User } from "../domain/principal.ts";
import { parse, readText } from "../http/read-body.ts";
import { queryNumber, type Env } from "../http/route.ts";
import { jobTemplates } from "./job-templates.ts";
import { SubmitPage, type SubmitProps } from "./submit-page.tsx";
import type { ViewOf } from "./view.ts";

const submitQuery = v.object({
  /** Start from what was submitted as this job. */
  from: v.optional(queryNumber),
  template: v.optional(v.string()),
});
/** A form escapes what it sends: three bytes for one at the most, and the names of the fields. */
const MAX_FORM_BYTES = 3 * MAX_DEFINITION_BYTES + 200;

/** `/submit`. */
export function submitPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  app.get("/submit", async (c) => {
    const user = requireUser(c.var.principal);
    const { from, template } = parse(submitQuery, c.req.query(), "query");
    const text = await startFrom(deps, user, from, template);
    const props = { view: await viewOf(c), ...(await around(deps, user)) };
    return c.html(<SubmitPage {...props} text={text} from={from} template={template} />);
  });
  app.post("/submit", async (c) => {
    const form = new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES));
    // A form sends its line breaks as CR LF, whatever was pasted.
    const text = (form.get("definition") ?? "").replaceAll("\r\n", "\n");
    const user = requireUser(c.var.principal);
    if (form.has("dry-run")) {
      const { dryRun } = await import("../domain/dry-run.ts");
      const outcome = await dryRun(deps, user, text);
      const props = { view: await viewOf(c), ...(await around(deps, user)) };
      return c.html(<SubmitPage {...props} text={text} outcome={outcome} />);
    }
    const refusal = await submit(deps, user, text);
    if (refusal.jobId !== undefined) return c.redirect(`/jobs/${refusal.jobId}`, 303);
    const props = { view: await viewOf(c), ...(await around(deps, user)) };
    return c.html(<SubmitPage {...props} text={text} refusal={refusal} />, 400);
  });
}

async function startFrom(
  deps: Deps,
  principal: Principal,
  from: number | undefined,
  template: string | undefined,
): Promise<string> {
  if (from !== undefined) return readSubmitted(deps, principal, from);
  if (template === undefined) return "";
  const found = (await jobTemplates()).find(({ name }) => name === template);
  if (found) return found.text;
  throw new AppError("not_found", `there is no template ${JSON.stringify(template)}`);
}

/** The job, the first one of a group; or why there is none. */
async function submit(
  deps: Deps,
  user: User,
  text: string,
): Promise<{ jobId: number } | (NonNullable<SubmitProps["refusal"]> & { jobId?: never })> {
  try {
    const { submitJob } = await import("../domain/submit-job.ts");
    const { job_ids } = await submitJob(deps, user, text);
    return { jobId: job_ids[0] ?? 0 };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "invalid") throw error;
    return { message: error.message, problems: error.problems ?? [] };
  }
}

/** What can be started from. */
async function around(deps: Deps, user: User): Promise<Pick<SubmitProps, "templates" | "last">> {
  return { templates: await jobTemplates(), last: await lastJobOf(deps, user) };
}
