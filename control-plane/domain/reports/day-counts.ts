import type { NewItem } from "../../ports/table.ts";
import { attemptOf, type JobRecord } from "../job-record.ts";
import { dayReportKey } from "../keys.ts";

/** What the jobs came to that were submitted on a day (UTC), by the device that they had. */
export interface DayCounts {
  day: string;
  rows: CountRow[];
  jobs: number;
  /** Those that had not ended when they were counted. */
  open: number;
  /** Which ones these are, and where they count, to look at them again: the first 200. */
  open_jobs: OpenJob[];
  /** The newest job that was submitted before the day; 0 where there is none. Absent while there are more to count. */
  before?: number;
  /** The newest of those that are still to be counted. */
  counted_to?: number;
}

interface OpenJob extends Pick<CountRow, "type" | "device"> {
  id: number;
}

export interface CountRow {
  type: string;
  device?: string;
  Complete: number;
  Incomplete: number;
  Canceled: number;
  /** Not ended. */
  open: number;
  /** First attempts that the lab spoilt, here; their jobs count where they went then. */
  attempts?: number;
  /** Of Incomplete ones, by their error type. */
  errors: Record<string, number>;
  /** How long they had the device. */
  busy_seconds: number;
  /** How long they waited for it, by bucket (waitBucket); the lab's own health checks left out. */
  waits: Record<string, number>;
}

export const DAY_MS = 24 * 60 * 60 * 1000;
/** Jobs may run and wait for so long that a day's counts still change. */
const SETTLED_DAYS = 8;
/** A day with more is not counted anew for a few that are still open. */
const MANY_JOBS = 5000;
/** Devices of one day that are told apart, as an item of the table has 400 kB at most; the others are counted with their type. */
const MOST_ROWS = 1000;
const MOST_OPEN = 200;

/** The buckets of waits grow by a fifth each: a median read from them is right to a tenth. */
export const waitBucket = (seconds: number): number =>
  Math.floor(Math.log(Math.max(1, seconds)) / Math.log(1.2));
export const secondsOfBucket = (bucket: number): number => Math.round(1.2 ** (bucket + 0.5));

export const dayReportItem = (counts: DayCounts): NewItem => ({
  key: dayReportKey(counts.day),
  data: counts,
});

/** Whether a day's counts are worth keeping: it is over, and what may change of them is known, or is little beside what there is to count. */
export function isKept(counts: DayCounts, now: number): boolean {
  const age = (now - Date.parse(counts.day)) / DAY_MS - 1;
  if (age < 0) return false;
  if (counts.counted_to !== undefined || counts.open === counts.open_jobs.length) return true;
  return age > SETTLED_DAYS || counts.jobs > MANY_JOBS;
}

/** Counts jobs of a day, on top of what was counted already. */
export function dayCounter(known: DayCounts) {
  const { jobs, open, open_jobs, rows: before } = structuredClone(known);
  const counts = { jobs, open, open_jobs };
  const rows: Rows = new Map(before.map((row) => [keyOf(row), row]));
  return {
    note: (job: JobRecord) => note(rows, counts, job),
    /** An attempt of a job of the day that another one followed. */
    noteAttempt: (attempt: JobRecord) => {
      const row = rowFor(rows, attempt.device_type, attempt.device);
      row.attempts = (row.attempts ?? 0) + 1;
      noteTimes(row, attempt);
    },
    /** One that was open when it was counted, and is to be noted again or is gone. */
    takeBack: ({ id, type, device }: OpenJob) => {
      counts.open_jobs = counts.open_jobs.filter((one) => one.id !== id);
      counts.jobs -= 1;
      counts.open -= 1;
      rowFor(rows, type, device).open -= 1;
    },
    counts: (): DayCounts => ({ day: known.day, ...counts, rows: [...rows.values()] }),
  };
}

type Rows = Map<string, CountRow>;

const keyOf = ({ type, device = "" }: Pick<CountRow, "type" | "device">): string =>
  `${type} ${device}`;

function note(
  rows: Rows,
  counts: Pick<DayCounts, "jobs" | "open" | "open_jobs">,
  job: JobRecord,
): void {
  const { id, device, device_type: type, health, state } = job;
  const row = rowFor(rows, type, device);
  counts.jobs += 1;
  if (state !== "Finished" || health === "Unknown") {
    counts.open += 1;
    row.open += 1;
    const where = device === undefined ? { type } : { type, device };
    if (counts.open_jobs.length < MOST_OPEN) counts.open_jobs.push({ id, ...where });
    return;
  }
  row[health] += 1;
  const { error_type = "Unknown" } = job;
  if (health === "Incomplete") row.errors[error_type] = (row.errors[error_type] ?? 0) + 1;
  noteTimes(row, job);
}

/** How long it had its device, and how long it had waited; the way back to the queue after a spoilt attempt is no wait. */
function noteTimes(row: CountRow, job: JobRecord): void {
  const start = Date.parse(job.start_time ?? "");
  if (job.device === undefined || Number.isNaN(start)) return;
  row.busy_seconds += Math.max(0, Math.round((Date.parse(job.end_time ?? "") - start) / 1000)) || 0;
  if (job.health_check || attemptOf(job) > 1) return;
  const bucket = String(waitBucket((start - Date.parse(job.submit_time)) / 1000));
  row.waits[bucket] = (row.waits[bucket] ?? 0) + 1;
}

function rowFor(rows: Rows, type: string, device: string | undefined): CountRow {
  const isTold = device !== undefined && rows.size < MOST_ROWS;
  const key = keyOf({ type, ...(isTold ? { device } : {}) });
  const found =
    rows.get(keyOf({ type, ...(device === undefined ? {} : { device }) })) ?? rows.get(key);
  if (found) return found;
  const row: CountRow = {
    ...{ type, ...(isTold ? { device } : {}) },
    ...{ Complete: 0, Incomplete: 0, Canceled: 0, open: 0 },
    ...{ errors: {}, busy_seconds: 0, waits: {} },
  };
  rows.set(key, row);
  return row;
}
