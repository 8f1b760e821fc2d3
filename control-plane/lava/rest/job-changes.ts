import * as v from "valibot";
import { patchJobSchema } from "#protocol/history.ts";
import type { Deps } from "../../domain/deps.ts";
import { requireUser } from "../../domain/principal.ts";
import { getChangeableJob, getVisibleJob } from "../../domain/visible.ts";
import type { RouteContext } from "../../http/route.ts";
import { jobIdIn } from "../job-id-in.ts";
import { badField, needs, restRoutes } from "./drf.ts";
import { readFields, someText } from "./read-fields.ts";

/** All else that a job has is only read, as in LAVA: a client may send back all that it was given. */
const changes = v.object({
  definition: v.optional(someText),
  priority: v.optional(patchJobSchema.entries.priority),
});
const whole = v.object({ ...changes.entries, definition: someText });

/**
 * PUT, PATCH and DELETE of `/api/v0.2/jobs/N/`. A definition is never another one than what was submitted: what was run is what one
 * reads. LAVA takes any text in its place, and runs the old one or the new one.
 */
export function restJobChangeRoutes(deps: Deps) {
  const app = restRoutes(deps);
  const idOf = (c: RouteContext) => jobIdIn(deps, c.var.principal, c.req.param("id"));
  for (const [method, schema] of [
    ["PUT", whole],
    ["PATCH", changes],
  ] as const) {
    app.on(method, "/jobs/:id/", needs(deps, "submit"), async (c) => {
      const given = await readFields(c.req.raw, schema);
      const id = await idOf(c);
      await change(deps, c, id, given);
      return c.json(await view(deps, c, id));
    });
  }
  app.delete("/jobs/:id/", needs(deps, "admin"), async (c) => {
    const { deleteJob } = await import("../../domain/retention/delete-job.ts");
    const id = await idOf(c);
    await getVisibleJob(deps, c.var.principal, id);
    await deleteJob(deps, c.var.principal, id);
    return c.body(null, 204);
  });
  return app;
}

async function view(deps: Deps, c: RouteContext, id: number) {
  const { restJob } = await import("./job-view.ts");
  return restJob(deps, await getVisibleJob(deps, c.var.principal, id));
}

async function change(
  deps: Deps,
  c: RouteContext,
  id: number,
  { definition, priority }: v.InferOutput<typeof changes>,
): Promise<void> {
  const user = requireUser(c.var.principal);
  const { data: job } = await getChangeableJob(deps, user, id, "changed");
  if (definition !== undefined) {
    const known = (await view(deps, c, id)) as { definition: string; original_definition: string };
    if (![known.definition, known.original_definition].includes(definition)) {
      throw badField("definition", "A job keeps its definition: submit another job.");
    }
  }
  if (priority === undefined) return;
  const { priorityNumber } = await import("#protocol/job-definition.ts");
  if (priorityNumber(priority) === job.priority) return;
  const { setPriority } = await import("../../domain/urge-job.ts");
  await setPriority(deps, user, id, { priority });
}
