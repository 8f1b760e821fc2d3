import * as v from "valibot";
import { attemptViewSchema, type AttemptView, type JobList, type JobView } from "#protocol/api.ts";
import type { JobHealth, JobState } from "#protocol/states.ts";
import { AppError } from "./app-error.ts";
import { cancel } from "./cancel.ts";
import type { Deps } from "./deps.ts";
import { groupMembers } from "./group-members.ts";
import { attemptOf, jobView, type JobRecord } from "./job-record.ts";
import { attemptKey, padded } from "./keys.ts";
import { definitionBlob, multinodeBlob } from "./blob-names.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { getChangeableJob, getVisibleJob, sightOf, viewFor } from "./visible.ts";

/** A definition is at most this long. */
export const MAX_DEFINITION_BYTES = 1024 * 1024;

/** A job, or an attempt of it that another one followed. Throws `not_found`. */
export async function getJob(
  deps: Deps,
  principal: Principal,
  id: number,
  attempt?: number,
): Promise<JobView> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  const earlier_attempts = await readEarlier(deps, job);
  const members = await groupMembers(deps, principal, job);
  const waiting = job.state === "Submitted" ? await howItWaits(deps, job) : undefined;
  return {
    ...jobView(job, waiting?.text),
    ...(waiting ? { waits: waiting.waits } : {}),
    ...(earlier_attempts.length > 0 ? { earlier_attempts } : {}),
    ...(members.length > 0 ? { members } : {}),
    ...(job.annotation_count ? { annotations: await readAnnotations(deps, id) } : {}),
  };
}

/** Loaded where there are any. */
const readAnnotations = async (deps: Deps, id: number) =>
  (await import("./annotations.ts")).readAnnotations(deps, id);

/** Loaded when a job waits: what a pass knows of a queue is much. */
const howItWaits = async (deps: Deps, job: JobRecord) =>
  (await import("./waits-for.ts")).howItWaits(deps, job);

async function readEarlier(deps: Deps, job: JobRecord): Promise<AttemptView[]> {
  const earlier: AttemptView[] = [];
  for (let attempt = 1; attempt < attemptOf(job); attempt++) {
    const item = await deps.table.get<JobRecord>(attemptKey(job.id, attempt));
    if (item) earlier.push(v.parse(attemptViewSchema, item.data));
  }
  return earlier;
}

/** The definition as it was submitted; of a job of a multinode group, what was made of that for it. */
export async function readDefinition(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<string> {
  await getVisibleJob(deps, principal, id);
  return readText(deps, id, definitionBlob(id));
}

/** What was submitted, byte for byte; of a job of a multinode group, with all of its roles. */
export async function readSubmitted(deps: Deps, principal: Principal, id: number): Promise<string> {
  const { group } = await getVisibleJob(deps, principal, id);
  return readText(deps, id, group === undefined ? definitionBlob(id) : multinodeBlob(id));
}

/** What was submitted for the multinode group that the job is of. Throws `not_found` for a job of none. */
export async function readMultinodeDefinition(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<string> {
  const { group } = await getVisibleJob(deps, principal, id);
  if (group === undefined) throw new AppError("not_found", `job ${id} is in no multinode group`);
  return readText(deps, id, multinodeBlob(id));
}

async function readText(deps: Deps, id: number, blob: string): Promise<string> {
  const bytes = await deps.blobs.get(blob);
  if (!bytes) throw new AppError("not_found", `the definition of job ${id} is gone`);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

export interface JobFilter {
  state?: JobState | undefined;
  health?: JobHealth | undefined;
  device?: string | undefined;
  device_type?: string | undefined;
  submitter?: string | undefined;
  /** Words of the description, whatever their case. */
  text?: string | undefined;
  /** Submitted from then on, and before then; ISO 8601. */
  since?: string | undefined;
  until?: string | undefined;
  /** At most this many, 1 to 200; 50 when not given. */
  limit?: number | undefined;
  /** `next_cursor` of the page before. */
  cursor?: string | undefined;
}

/** How many jobs one call looks at, at most, to fill its page; also those that whoever asks may not see. */
const MAX_JOBS_SEEN = 1000;

/**
 * Newest first. A page may be shorter than `limit`, even empty, and yet have a cursor: what a filter finds
 * rarely is looked for in several calls.
 */
export async function listJobs(
  deps: Deps,
  principal: Principal,
  filter: JobFilter = {},
): Promise<JobList> {
  const sight = await sightOf(deps, principal);
  const limit = Math.min(Math.max(1, filter.limit ?? 50), 200);
  const jobs: JobView[] = [];
  let seen = 0;
  const fits = matcher(filter);
  const range = {
    reverse: true,
    limit: hasFilter(filter) ? 200 : limit,
    ...(await newestOf(deps, filter)),
  };
  const oldest = filter.since === undefined ? -Infinity : Date.parse(filter.since);
  for await (const { data: job } of queryAll<JobRecord>(deps, ...startOf(filter), range)) {
    seen += 1;
    if (Date.parse(job.submit_time) < oldest) break;
    if (fits(job) && (await sight.job(job))) jobs.push(jobView(job));
    if (job.id > 1 && (jobs.length === limit || seen === MAX_JOBS_SEEN)) {
      return { jobs, next_cursor: job.retried ? `${job.id}-${attemptOf(job)}` : String(job.id) };
    }
  }
  return { jobs };
}

/** Where a list begins: after the page before, or with the last job before a time, which is looked for once. */
async function newestOf(deps: Deps, filter: JobFilter): Promise<{ to?: string }> {
  if (filter.cursor !== undefined) return { to: lastBefore(filter.cursor) };
  if (filter.until === undefined) return {};
  const { lastIdBefore } = await import("./submitted-before.ts");
  const id = await lastIdBefore(deps, startOf(filter), Date.parse(filter.until));
  return { to: `${padded(id)}~` };
}

/** The greatest name that may follow a page which ended with job `7`, or, in a device's list, with attempt `7-1` of it. */
function lastBefore(cursor: string): string {
  const [, id, attempt] = /^([1-9]\d{0,11})(?:-([1-9]\d?))?$/.exec(cursor) ?? [];
  if (id === undefined) {
    throw new AppError("invalid", "cursor: expected next_cursor of an earlier answer");
  }
  if (attempt === undefined) return `${padded(Number(id) - 1)}~`;
  return attempt === "1" ? padded(Number(id)) : `${padded(Number(id))}#${Number(attempt) - 1}`;
}

/**
 * Cancels a job for its submitter or whoever may change its device or device type: at once while it is in the queue, else by
 * its worker. For a job that is Canceling or Finished already it does nothing.
 */
export async function cancelJob(deps: Deps, principal: Principal, id: number): Promise<JobView> {
  const user = requireUser(principal);
  return retrying(async () => {
    const item = await getChangeableJob(deps, user, id, "canceled");
    return viewFor(deps, user, await cancel(deps, item, { who: user.name }));
  });
}

function startOf({ device, submitter }: JobFilter): ["i1" | "i3" | "i4", string] {
  if (device !== undefined) return ["i3", `device-jobs#${device}`];
  return submitter === undefined ? ["i1", "jobs"] : ["i4", `submitter-jobs#${submitter}`];
}

const hasFilter = (filter: JobFilter): boolean =>
  filter.state !== undefined ||
  filter.health !== undefined ||
  filter.device_type !== undefined ||
  filter.text !== undefined ||
  (filter.device !== undefined && filter.submitter !== undefined);

function matcher(filter: JobFilter): (job: JobRecord) => boolean {
  const words = (filter.text ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  return (job) =>
    (filter.state ?? job.state) === job.state &&
    (filter.health ?? job.health) === job.health &&
    (filter.device_type ?? job.device_type) === job.device_type &&
    (filter.submitter ?? job.submitter) === job.submitter &&
    words.every((word) => job.description.toLowerCase().includes(word));
}
