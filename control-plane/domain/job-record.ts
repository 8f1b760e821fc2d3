import type { JobView } from "#protocol/api.ts";
import type { ErrorType, Evidence, PassedOnRetry } from "#protocol/failure.ts";
import type { Counts } from "#protocol/results.ts";
import type { JobHealth, JobState } from "#protocol/states.ts";
import type { Item, NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import type { Charge } from "./fair-share.ts";
import { attemptKey, attemptKeys, jobKey, jobKeys } from "./keys.ts";
import { without } from "./without.ts";

/** A job in the table. Its definition is a blob, its log chunks and results are items of their own. */
export interface JobRecord {
  id: number;
  state: JobState;
  health: JobHealth;
  description: string;
  device_type: string;
  requested_device?: string;
  requested_worker?: string;
  device?: string;
  worker?: string;
  submitter: string;
  /** It says whether its device is in order, and is submitted by the lab (SCHEDULER.md 2.1). */
  health_check?: true;
  priority: number;
  tags: string[];
  submit_time: string;
  start_time?: string;
  end_time?: string;
  queue_deadline?: string;
  /** Longest time that it may take once it has begun: its `timeouts: job`. */
  job_seconds?: number;
  /** What it has of the quotas that it counts for (quotas.ts). */
  quota_slots?: string[];
  /** What its submitter was charged for it under fair share (fair-share.ts). */
  charged?: Charge;
  error_type?: ErrorType;
  error_msg?: string;
  evidence?: Evidence;
  retries?: number;
  passed_on_retry?: PassedOnRetry[];
  /** Which attempt of the job this is; absent: the first. */
  attempt?: number;
  /** The record is not the job's but that of an attempt which another one followed. */
  retried?: true;
  /** The job goes back to the queue, once, when the lab's infrastructure was at fault. */
  retry_on?: "infrastructure";
  /** How long it may wait each time; kept where it may come back. */
  queue_seconds?: number;
  /** The device of the attempt before: another one is taken while one is idle. */
  failed_on?: string;
  /**
   * The worker of the attempt before, until it is known to have no runner of it any more: it must not take that for one of
   * this attempt. With the device that is held for as long, when the worker was silent.
   */
  left?: { worker: string; device?: string };
  /** Who may see it, beside its submitter (SCHEDULER.md 5); absent: public. */
  visibility?: "public" | "personal" | "group";
  /** Of a job for groups: whoever is in all of them may see it. */
  viewing_groups?: string[];
  /** Of a job of a multinode group: LAVA's `target_group`, `FIRST_ID.NUMBER`, and its role there. */
  group?: string;
  sub_id?: string;
  role?: string;
  /** It has no device but connects to that of this job, of the same group, and runs beside it. */
  host_job?: number;
  /** Lines of the log that are committed: the next chunk's first line. */
  log_lines: number;
  /** Results of its tests so far, without suite `lava` and without what failed attempts left; absent: none has come. */
  result_counts?: Counts;
  /** Makes the job's token together with the lab's secret; set when it is assigned. */
  token_nonce?: string;
  token_hash?: string;
  /**
   * The job was taken back from a silent worker, which has not been heard of since: its device is
   * held and its token still good, in case the worker comes back with the job's end.
   */
  taken_back?: boolean;
  /** It waits, and a person may take its console meanwhile; means something while it is Running only. */
  waits_for_person?: true;
  /** The definition has `notify`: somebody is to be told when the job begins or ends. */
  notify?: true;
  /** Retention has removed its log (retention rules); its results are there. */
  log_removed?: true;
  /** When it is forgotten; set at its end, where the lab keeps jobs for a limited time. */
  expires?: string;
  notes?: string[];
  /** How many annotations people made of it; absent: none. */
  annotation_count?: number;
}

const MAX_NOTES = 20;

export const jobItem = (job: JobRecord): NewItem => ({
  key: jobKey(job.id),
  data: job,
  keys: jobKeys(job),
  ...(job.expires === undefined ? {} : { expires: Date.parse(job.expires) }),
});

/** An attempt that another one followed: the job as it was at that attempt's end. */
export const attemptItem = (attempt: JobRecord): NewItem => ({
  key: attemptKey(attempt.id, attempt.attempt ?? 1),
  data: attempt,
  keys: attemptKeys(attempt),
});

/** The job, or an attempt of it that another one followed. Throws `not_found`. */
export async function getAttempt(deps: Deps, id: number, attempt?: number): Promise<JobRecord> {
  const { data: job } = await getJobItem(deps, id);
  if (attempt === undefined || attempt === attemptOf(job)) return job;
  const item = await deps.table.get<JobRecord>(attemptKey(id, attempt));
  if (!item) throw new AppError("not_found", `job ${id} has no attempt ${attempt}`);
  // Rules of retention look at the job, and remove the logs of all of its attempts.
  return job.log_removed ? { ...item.data, log_removed: true } : item.data;
}

/** From 1. */
export const attemptOf = ({ attempt = 1 }: Pick<JobRecord, "attempt">): number => attempt;

export const findJobItem = (deps: Deps, id: number): Promise<Item<JobRecord> | undefined> =>
  deps.table.get<JobRecord>(jobKey(id));

/** Throws `not_found`. */
export async function getJobItem(deps: Deps, id: number): Promise<Item<JobRecord>> {
  const item = await findJobItem(deps, id);
  if (!item) throw noJob(id);
  return item;
}

/** What is answered of a job that isn't there, or that whoever asks may not know of. */
export const noJob = (id: number): AppError => new AppError("not_found", `there is no job ${id}`);

/** The job with one more note, of which only the first twenty are kept. */
export function withNotes(job: JobRecord, more: string[]): JobRecord {
  const notes = [...(job.notes ?? []), ...more].slice(0, MAX_NOTES);
  return notes.length > 0 ? { ...job, notes } : job;
}

/** What people see of a job. */
export function jobView(job: JobRecord, waitsFor?: string): JobView {
  const view = without(
    job,
    "token_nonce",
    "token_hash",
    "taken_back",
    "queue_deadline",
    "job_seconds",
    "quota_slots",
    "charged",
    "queue_seconds",
    "failed_on",
    "left",
    "notify",
    "expires",
  );
  if (view.state !== "Running") delete view.waits_for_person;
  return waitsFor === undefined ? view : { ...view, waits_for: waitsFor };
}
