import type { JobList, JobView, SourceProblem, SubmitResponse } from "#protocol/api.ts";
import { checkJob } from "#protocol/check-job.ts";
import { priorityNumber, type JobDefinition } from "#protocol/job-definition.ts";
import type { JobHealth, JobState } from "#protocol/states.ts";
import { timeoutSeconds } from "#protocol/timeouts.ts";
import { resolveDeviceType } from "./aliases.ts";
import { AppError } from "./app-error.ts";
import { cancel } from "./cancel.ts";
import { checkSubmission } from "./check-submission.ts";
import type { Deps } from "./deps.ts";
import { getJobItem, jobItem, jobView, type JobRecord } from "./job-record.ts";
import { definitionBlob, padded } from "./keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { whyItWaits } from "./waits-for.ts";

/** A definition is at most this long. */
export const MAX_DEFINITION_BYTES = 1024 * 1024;

/**
 * Puts a job into the queue and asks for a scheduling pass. The text is kept byte for byte. Throws `invalid` with
 * every problem that was found, or `too_large`.
 */
export async function submitJob(
  deps: Deps,
  principal: Principal,
  text: string,
): Promise<SubmitResponse> {
  const { name: submitter } = requireUser(principal);
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > MAX_DEFINITION_BYTES) {
    throw new AppError("too_large", `a job definition has at most ${MAX_DEFINITION_BYTES} bytes`);
  }
  const read = checkJob(text);
  const { problems, warnings } = read;
  if (!read.definition || problems.length > 0) throw refusal(problems);
  const definition = await withRealType(deps, read.definition);
  const unknowns = await checkSubmission(deps, definition, (path) => read.locate(path));
  if (unknowns.length > 0) throw refusal(unknowns);

  const now = deps.system.now();
  const { device_type = "", device, worker, timeouts, tags = [] } = definition;
  const id = await deps.table.counter("job");
  const queueMs = timeouts.queue && timeoutSeconds(timeouts.queue) * 1000;
  const job: JobRecord = {
    id,
    state: "Submitted",
    health: "Unknown",
    description: definition.job_name,
    device_type,
    submitter,
    priority: priorityNumber(definition.priority),
    tags: [...new Set(tags)],
    submit_time: new Date(now).toISOString(),
    log_lines: 0,
    ...(device === undefined ? {} : { requested_device: device }),
    ...(worker === undefined ? {} : { requested_worker: worker }),
    ...(queueMs === undefined ? {} : { queue_deadline: new Date(now + queueMs).toISOString() }),
  };
  await deps.blobs.put(definitionBlob(id), bytes);
  await deps.table.transact([{ put: jobItem(job), when: "absent" }]);
  await deps.signals.requestPass(job.device_type);
  return { job_ids: [id], warnings: warnings.map(asLine) };
}

/** Throws `not_found`. */
export async function getJob(deps: Deps, principal: Principal, id: number): Promise<JobView> {
  requireUser(principal);
  const { data } = await getJobItem(deps, id);
  return jobView(data, await whyItWaits(deps, data));
}

/** The definition as it was submitted. */
export async function readDefinition(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<string> {
  requireUser(principal);
  await getJobItem(deps, id);
  const bytes = await deps.blobs.get(definitionBlob(id));
  if (!bytes) throw new AppError("not_found", `the definition of job ${id} is gone`);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

export interface JobFilter {
  state?: JobState | undefined;
  health?: JobHealth | undefined;
  device?: string | undefined;
  device_type?: string | undefined;
  submitter?: string | undefined;
  /** At most this many, 1 to 200; 50 when not given. */
  limit?: number | undefined;
  /** `next_cursor` of the page before. */
  cursor?: string | undefined;
}

/** How many jobs one call looks at, at most, to fill its page. */
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
  requireUser(principal);
  const limit = Math.min(Math.max(1, filter.limit ?? 50), 200);
  const before = filter.cursor === undefined ? undefined : Number(filter.cursor);
  if (before !== undefined && !(Number.isSafeInteger(before) && before > 0)) {
    throw new AppError("invalid", "cursor: expected next_cursor of an earlier answer");
  }
  const jobs: JobView[] = [];
  let seen = 0;
  const range = {
    reverse: true,
    limit: hasFilter(filter) ? 200 : limit,
    ...(before === undefined ? {} : { to: padded(before - 1) }),
  };
  for await (const { data: job } of queryAll<JobRecord>(deps, ...startOf(filter), range)) {
    seen += 1;
    if (matches(job, filter)) jobs.push(jobView(job));
    if (job.id > 1 && (jobs.length === limit || seen === MAX_JOBS_SEEN)) {
      return { jobs, next_cursor: String(job.id) };
    }
  }
  return { jobs };
}

/**
 * Cancels a job for its submitter or an administrator: at once while it is in the queue, else by its worker. For
 * a job that is Canceling or Finished already it does nothing.
 */
export async function cancelJob(deps: Deps, principal: Principal, id: number): Promise<JobView> {
  const user = requireUser(principal);
  return retrying(async () => {
    const item = await getJobItem(deps, id);
    if (!user.admin && user.name !== item.data.submitter) {
      throw new AppError("forbidden", `job ${id} can be canceled by ${item.data.submitter} only`);
    }
    return jobView(await cancel(deps, item));
  });
}

/** With the device type that an alias stands for; the text that was submitted stays as it is. */
async function withRealType(deps: Deps, definition: JobDefinition): Promise<JobDefinition> {
  const { device_type } = definition;
  if (device_type === undefined) return definition;
  return { ...definition, device_type: await resolveDeviceType(deps, device_type) };
}

function refusal(problems: SourceProblem[]): AppError {
  const [first] = problems;
  const rest = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const what = first ? `${asLine(first)}${rest}` : "it is not a job definition";
  return new AppError("invalid", `the job was refused: ${what}`, { problems });
}

const asLine = ({ path, line, column, message }: SourceProblem): string =>
  `line ${line}, column ${column}${path ? `, ${path}` : ""}: ${message}`;

function startOf({ device, submitter }: JobFilter): ["i1" | "i3" | "i4", string] {
  if (device !== undefined) return ["i3", `device-jobs#${device}`];
  return submitter === undefined ? ["i1", "jobs"] : ["i4", `submitter-jobs#${submitter}`];
}

const hasFilter = ({ state, health, device_type, device, submitter }: JobFilter): boolean =>
  state !== undefined ||
  health !== undefined ||
  device_type !== undefined ||
  (device !== undefined && submitter !== undefined);

const matches = (job: JobRecord, filter: JobFilter): boolean =>
  (filter.state ?? job.state) === job.state &&
  (filter.health ?? job.health) === job.health &&
  (filter.device_type ?? job.device_type) === job.device_type &&
  (filter.submitter ?? job.submitter) === job.submitter;
