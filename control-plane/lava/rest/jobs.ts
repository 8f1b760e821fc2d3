import * as v from "valibot";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { cancelJob, readSubmitted } from "../../domain/jobs.ts";
import { requireUser, type Principal } from "../../domain/principal.ts";
import { getVisibleJob } from "../../domain/visible.ts";
import type { RouteContext } from "../../http/route.ts";
import { jobIdIn } from "../job-id-in.ts";
import { isMissingKey, submissionRefusal } from "../shapes/submission-refusal.ts";
import { jobPage } from "./job-list.ts";
import { needs, needsUser, RestRefusal, restRoutes } from "./drf.ts";
import { anyText, flag, readFields, someText, textList } from "./read-fields.ts";

/** Loaded when they are used: they read YAML. */
const views = () => import("./job-view.ts");

const submission = v.object({ definition: someText });
const validation = v.object({
  definition: v.optional(anyText),
  strict: v.optional(flag, false),
});
const testDefinition = v.object({ definition: v.optional(anyText) });
const batch = v.object({ job_ids: v.optional(textList), ids: v.optional(textList) });
const SENT = { message: "Job cancel signal sent." };

/** `/api/v0.2/jobs/`: lists, single jobs, and what is done with them. */
export function restJobRoutes(deps: Deps) {
  const app = restRoutes(deps);
  const idOf = (c: RouteContext) => jobIdIn(deps, c.var.principal, c.req.param("id"));
  app.get("/jobs/", needs(deps, "read"), async (c) => {
    const { restJob } = await views();
    return c.json(await jobPage(deps, c, (job) => restJob(deps, job)));
  });
  app.post("/jobs/", needs(deps, "submit"), async (c) => {
    const { definition } = await readFields(c.req.raw, submission);
    return c.json(await submitted(deps, c.var.principal, definition), 201);
  });
  for (const path of ["/jobs/batch-cancel/", "/jobs/batch_cancel/"]) {
    app.post(path, needs(deps, "submit"), async (c) => {
      const { job_ids, ids = [] } = await readFields(c.req.raw, batch);
      return c.json(await cancelAll(deps, c.var.principal, job_ids ?? ids));
    });
  }
  app.get("/jobs/:id/", needs(deps, "read"), async (c) => {
    const { restJob } = await views();
    return c.json(await restJob(deps, await getVisibleJob(deps, c.var.principal, await idOf(c))));
  });
  app.on(["GET", "POST"], "/jobs/:id/cancel/", needs(deps, "submit"), async (c) => {
    requireMeant(c);
    await cancelJob(deps, c.var.principal, await idOf(c));
    return c.json(SENT);
  });
  app.post("/jobs/:id/resubmit/", needs(deps, "submit"), async (c) => {
    const text = await readSubmitted(deps, c.var.principal, await idOf(c));
    return c.json(await submitted(deps, c.var.principal, text), 201);
  });
  return app;
}

/** `/api/v0.2/jobs/validate/` and `/validate_testdef/`: they change nothing. */
export function restValidateRoutes(deps: Deps) {
  const app = restRoutes(deps);
  app.post("/jobs/validate/", needsUser(deps), async (c) => {
    const { definition, strict } = await readFields(c.req.raw, validation);
    if (!definition) {
      throw new RestRefusal(400, { definition: "Test job definition is required." });
    }
    const { spendReading } = await import("../../domain/reading-budget.ts");
    spendReading(deps, requireUser(c.var.principal), definition);
    const { checkJob } = await import("#protocol/check-job.ts");
    const checked = checkJob(definition);
    const [first] = strict ? [...checked.problems, ...checked.strict] : checked.problems;
    return c.json({ message: first ? `Job invalid: ${sentence(first)}` : "Job valid." });
  });
  app.post("/jobs/validate_testdef/", needsUser(deps), async (c) => {
    const { definition } = await readFields(c.req.raw, testDefinition);
    if (!definition) throw new RestRefusal(400, { definition: "Test definition is required." });
    const { readTestDefinition } = await import("#protocol/test-definition.ts");
    const [first] = readTestDefinition(definition).problems;
    const message = first
      ? `Test definition invalid: ${sentence(first)}`
      : "Test definition valid.";
    return c.json({ message });
  });
  return app;
}

interface Fault {
  path: string;
  line: number;
  message: string;
}
/** A key that is missing in LAVA's words first. */
const sentence = ({ path, line, message }: Fault): string => {
  const words = isMissingKey(message) ? `required key not provided: ${message}` : message;
  return `${words} @ line ${line}${path === "" ? "" : ` (${path})`}`;
};

async function submitted(deps: Deps, principal: Principal, definition: string) {
  const { submitJob } = await import("../../domain/submit-job.ts");
  try {
    const { job_ids } = await submitJob(deps, principal, definition);
    return { message: "job(s) successfully submitted", job_ids };
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "invalid") throw error;
    throw new RestRefusal(400, { message: submissionRefusal(error.message) });
  }
}

/** Each by itself: those that can't be canceled are named with the reason. */
async function cancelAll(deps: Deps, principal: Principal, ids: readonly string[]) {
  const canceled: number[] = [];
  const refused: Record<string, string> = {};
  for (const text of ids) {
    try {
      const id = await jobIdIn(deps, principal, text);
      await cancelJob(deps, principal, id);
      canceled.push(id);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      refused[text.slice(0, 20)] = error.message;
    }
  }
  return { ...SENT, canceled, refused };
}

/**
 * LAVA cancels by GET. A link on another site makes a browser send one with its session, and programs that look ahead send HEAD:
 * neither is somebody who wants that.
 */
function requireMeant(c: RouteContext): void {
  const { method } = c.req.raw;
  if (method === "POST") return;
  if (method === "GET" && c.var.principal.kind !== "session") return;
  throw new AppError("forbidden", "to cancel with a session, send POST; GET needs a token");
}
