import type { Hono } from "hono";
import * as v from "valibot";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { MAX_DEFINITION_BYTES, readSubmitted } from "../domain/jobs.ts";
import { requireUser } from "../domain/principal.ts";
import { parse, readText } from "../http/read-body.ts";
import { queryNumber, type Env } from "../http/route.ts";
import { SubmitPage } from "./submit-page.tsx";
import type { ViewOf } from "./view.ts";

const submitQuery = v.object({ from: v.optional(queryNumber) });
/** A form escapes what it sends: three bytes for one at the most, and the name of the field. */
const MAX_FORM_BYTES = 3 * MAX_DEFINITION_BYTES + 100;

/** `/submit`. */
export function submitPages(app: Hono<Env>, deps: Deps, viewOf: ViewOf): void {
  app.get("/submit", async (c) => {
    requireUser(c.var.principal);
    const { from } = parse(submitQuery, c.req.query(), "query");
    const text = from === undefined ? "" : await readSubmitted(deps, c.var.principal, from);
    return c.html(<SubmitPage view={await viewOf(c)} text={text} />);
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
      return c.html(<SubmitPage view={await viewOf(c)} text={text} refusal={refusal} />, 400);
    }
  });
}
