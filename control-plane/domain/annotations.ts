import type { Annotate } from "#protocol/annotations.ts";
import type { AnnotationView } from "#protocol/api.ts";
import { AppError } from "./app-error.ts";
import { editChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { getJobItem, jobItem, type JobRecord } from "./job-record.ts";
import { annotationKey } from "./keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { getChangeableJob, getVisibleJob } from "./visible.ts";
import { without } from "./without.ts";

/** A job has at most so many, so that its page stays one. */
const MOST = 50;

/**
 * Writes down what somebody who may change the job has found out about it, at any time of its life. Throws `not_found`,
 * `forbidden`, `conflict` for a job that has 50 already.
 */
export async function annotateJob(
  deps: Deps,
  principal: Principal,
  id: number,
  { text, cause }: Annotate,
): Promise<AnnotationView> {
  const user = requireUser(principal);
  return retrying(async () => {
    const { data: job, version } = await getChangeableJob(deps, user, id, "annotated");
    const { annotation_count = 0 } = job;
    if (annotation_count >= MOST) {
      throw new AppError("conflict", `job ${id} has ${MOST} annotations already; remove one first`);
    }
    const annotation: AnnotationView = {
      id: deps.system.id(),
      time: new Date(deps.system.now()).toISOString(),
      who: user.name,
      text,
      ...(cause === undefined ? {} : { cause }),
    };
    const key = annotationKey(id, annotation.time, annotation.id);
    const annotated: JobRecord = { ...job, annotation_count: annotation_count + 1 };
    const changed = [{}, { annotation: summary(annotation) }] as const;
    await deps.table.transact([
      { put: jobItem(annotated), when: { version } },
      { put: { key, data: annotation }, when: "absent" },
      ...editChange(deps, "job", String(id), changed, { who: user.name }),
    ]);
    return annotation;
  });
}

/**
 * Takes an annotation back: its author may, and administrators. The audit log keeps what it said. Throws `not_found`, `forbidden`.
 */
export async function removeAnnotation(
  deps: Deps,
  principal: Principal,
  id: number,
  name: string,
): Promise<void> {
  const user = requireUser(principal);
  await getChangeableJob(deps, user, id, "annotated");
  await getVisibleJob(deps, user, id);
  await retrying(async () => {
    const { data: job, version } = await getJobItem(deps, id);
    const annotation = (await readAnnotations(deps, id)).find((one) => one.id === name);
    if (!annotation) throw new AppError("not_found", `job ${id} has no annotation ${name}`);
    if (annotation.who !== user.name && !user.admin) {
      throw new AppError("forbidden", `${annotation.who} made it: they or an administrator may`);
    }
    const left = (job.annotation_count ?? 1) - 1;
    const bare: JobRecord = without(job, "annotation_count");
    const changed = [{ annotation: summary(annotation) }, {}] as const;
    await deps.table.transact([
      { put: jobItem(left > 0 ? { ...bare, annotation_count: left } : bare), when: { version } },
      { delete: annotationKey(id, annotation.time, annotation.id) },
      ...editChange(deps, "job", String(id), changed, { who: user.name }),
    ]);
  });
}

/** Oldest first, for who may see the job. */
export async function readAnnotations(
  deps: Pick<Deps, "table">,
  id: number,
): Promise<AnnotationView[]> {
  const { partition, sort: from } = annotationKey(id, "", "");
  const prefix = from.slice(0, from.indexOf("#") + 1);
  const range = { from: prefix, to: `${prefix}~`, limit: MOST };
  const found: AnnotationView[] = [];
  for await (const { data } of queryAll<AnnotationView>(deps, "main", partition, range)) {
    found.push(data);
  }
  return found;
}

const summary = ({ cause, text }: AnnotationView): string =>
  cause === undefined ? text : `${cause}: ${text}`;
