import type { NewItem } from "../../ports/table.ts";
import type { JobRecord } from "../job-record.ts";
import { dayReportKey } from "../keys.ts";

/** What the jobs came to that were submitted on a day (UTC), by the device that they had. */
export interface DayCounts {
  day: string;
  rows: CountRow[];
  jobs: number;
  /** Those that had not ended when they were counted. */
  open: number;
  /** The newest job that was submitted before the day; 0 where there is none. Absent while there are more to count. */
  before?: number;
  /** The newest of those that are still to be counted. */
  counted_to?: number;
}

export interface CountRow {
  type: string;
  device?: string;
  Complete: number;
  Incomplete: number;
  Canceled: number;
  /** Not ended. */
  open: number;
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
/** Devices of one day that are told apart; the others are counted with their type. */
const MOST_ROWS = 1500;

/** The buckets of waits grow by a fifth each: a median read from them is right to a tenth. */
export const waitBucket = (seconds: number): number =>
  Math.floor(Math.log(Math.max(1, seconds)) / Math.log(1.2));
export const secondsOfBucket = (bucket: number): number => Math.round(1.2 ** (bucket + 0.5));

export const dayReportItem = (counts: DayCounts): NewItem => ({
  key: dayReportKey(counts.day),
  data: counts,
});

/** Whether a day's counts are worth keeping: it is over, and they change no more or there is much to count. */
export function isKept(counts: DayCounts, now: number): boolean {
  const age = (now - Date.parse(counts.day)) / DAY_MS - 1;
  if (age < 0) return false;
  if (counts.counted_to !== undefined || counts.open === 0) return true;
  return age > SETTLED_DAYS || counts.jobs > MANY_JOBS;
}

/** Counts jobs of a day, on top of what was counted already. */
export function dayCounter(known: DayCounts) {
  const counts = { jobs: known.jobs, open: known.open };
  const rows = new Map(structuredClone(known.rows).map((row) => [keyOf(row), row]));
  return {
    note: (job: JobRecord) => note(rows, counts, job),
    counts: (): DayCounts => ({ day: known.day, ...counts, rows: [...rows.values()] }),
  };
}

const keyOf = ({ type, device = "" }: Pick<CountRow, "type" | "device">): string =>
  `${type} ${device}`;

function note(
  rows: Map<string, CountRow>,
  counts: Pick<DayCounts, "jobs" | "open">,
  job: JobRecord,
): void {
  const { device, device_type: type, health, state } = job;
  const row = rowFor(rows, type, device);
  counts.jobs += 1;
  if (state !== "Finished" || health === "Unknown") {
    counts.open += 1;
    row.open += 1;
    return;
  }
  row[health] += 1;
  const { error_type = "Unknown" } = job;
  if (health === "Incomplete") row.errors[error_type] = (row.errors[error_type] ?? 0) + 1;
  const start = Date.parse(job.start_time ?? "");
  if (device === undefined || Number.isNaN(start)) return;
  row.busy_seconds += Math.max(0, Math.round((Date.parse(job.end_time ?? "") - start) / 1000)) || 0;
  if (job.health_check) return;
  const bucket = String(waitBucket((start - Date.parse(job.submit_time)) / 1000));
  row.waits[bucket] = (row.waits[bucket] ?? 0) + 1;
}

function rowFor(rows: Map<string, CountRow>, type: string, device: string | undefined): CountRow {
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
