import type { JobHead } from "#protocol/queries.ts";
import type { Condition } from "#protocol/saved-query.ts";
import type { Index } from "../../ports/table.ts";
import { AppError } from "../app-error.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import { padded } from "../keys.ts";
import { queryAll } from "../query-all.ts";
import { summaryOf, type CaseSummary, type JobSummary } from "../results/job-summary.ts";
import type { Sight } from "../visible.ts";
import { fitsCase, fitsJob, fitsMetadata, isAbout } from "./conditions.ts";

/** A job that fits, with what of its results was asked about. */
export interface Found {
  readonly job: JobRecord;
  /** Its cases that fit; all where nothing was asked about them, none where nobody wanted any. */
  readonly cases: readonly CaseSummary[];
  readonly summary?: JobSummary;
}

/** Where a search begins and what it has done so far. */
export interface Look {
  /** Jobs that were looked at, whether or not they fit. */
  looked_at: number;
  oldest?: number;
  /** There may be more: what one call may cost has been spent. */
  isCut?: true;
}

/** What one call may cost: a job costs 1, its summary 4 more and one that has to be made 20 more. */
const MOST_COST = 2000;
const SUMMARY_COST = 4;
const NEW_SUMMARY_COST = 20;

/**
 * The jobs that fit all conditions, newest first, of those that whoever asks may see (SCHEDULER.md 10). It reads a list of all
 * jobs, or of a device or submitter that is named, and stops when it has cost enough: `look.isCut` says so, `look.oldest` how far
 * it came. `upTo`: the newest id that is looked at.
 */
export async function* searchJobs(
  deps: Deps,
  sight: Sight,
  conditions: readonly Condition[],
  { upTo, withResults = false }: { upTo?: number | undefined; withResults?: boolean },
  look: Look,
): AsyncGenerator<Found> {
  const isAboutCases = isAbout(conditions, "testcase", "testsuite");
  const needsSummary = withResults || isAboutCases || isAbout(conditions, "metadata");
  const range = {
    reverse: true,
    limit: 100,
    ...(upTo === undefined ? {} : { to: `${padded(upTo)}~` }),
  };
  let cost = 0;
  for await (const { data: job } of queryAll<JobRecord>(deps, ...listFor(conditions), range)) {
    if (cost >= MOST_COST) {
      look.isCut = true;
      return;
    }
    // In a device's list, an attempt that another one followed.
    if (job.retried) continue;
    cost += 1;
    look.looked_at += 1;
    look.oldest = job.id;
    if (!fitsJob(job, conditions) || !(await sight.job(job))) continue;
    if (!needsSummary) {
      yield { job, cases: [] };
      continue;
    }
    const { summary, isNew } = await summaryOf(deps, job);
    cost += isNew ? NEW_SUMMARY_COST : SUMMARY_COST;
    if (!fitsMetadata(summary.metadata, conditions)) continue;
    const cases = summary.cases.filter((one) => fitsCase(one, conditions));
    if (cases.length > 0 || !isAboutCases) yield { job, cases, summary };
  }
}

/** The shortest list that has all jobs which could fit. */
function listFor(conditions: readonly Condition[]): [Index, string] {
  const exactly = (field: string): string | undefined =>
    conditions.find(
      (one) => one.table === "testjob" && one.field === field && one.operator === "exact",
    )?.value;
  const device = exactly("actual_device");
  if (device !== undefined) return ["i3", `device-jobs#${device}`];
  const submitter = exactly("submitter");
  return submitter === undefined ? ["i1", "jobs"] : ["i4", `submitter-jobs#${submitter}`];
}

/** A cursor of rows: the newest job of the page that follows, and how many rows of it there were already. */
export function readCursor(cursor: string | undefined): { upTo?: number; skip: number } {
  if (cursor === undefined) return { skip: 0 };
  const [, id, skip = "0"] = /^(\d{1,12})(?:-(\d{1,6}))?$/.exec(cursor) ?? [];
  if (id === undefined) {
    throw new AppError("invalid", "cursor: expected next_cursor of an earlier answer");
  }
  return { upTo: Number(id), skip: Number(skip) };
}

/** What every answer says of how far it looked. `next`: where the next one begins, if this one is full. */
export function told({ looked_at, oldest, isCut }: Look, next?: string) {
  const cursor = next ?? (isCut && oldest !== undefined ? String(oldest - 1) : undefined);
  return {
    looked_at,
    ...(oldest === undefined ? {} : { oldest }),
    ...(cursor === undefined || cursor === "0" ? {} : { next_cursor: cursor }),
  };
}

/** What rows say of a job. */
export function headOf(job: JobRecord): JobHead {
  const { id, description, submitter, device_type, state, health, submit_time } = job;
  const { device, start_time, end_time, error_type } = job;
  return {
    ...{ id, description, submitter, device_type, state, health, submit_time },
    ...(device === undefined ? {} : { device }),
    ...(start_time === undefined ? {} : { start_time }),
    ...(end_time === undefined ? {} : { end_time }),
    ...(error_type === undefined ? {} : { error_type }),
  };
}
