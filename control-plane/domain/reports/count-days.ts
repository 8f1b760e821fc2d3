import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import { dayReportKey, padded } from "../keys.ts";
import { queryAll } from "../query-all.ts";
import { ALL_JOBS, lastIdBefore } from "../submitted-before.ts";
import { DAY_MS, dayCounter, dayReportItem, isKept, type DayCounts } from "./day-counts.ts";

/** How many jobs one call counts anew: of today, and of all other days. */
const MOST_JOBS = { today: 2500, before: 5000 };
const MOST_ID = 10 ** 12 - 1;

/**
 * The counts of days, newest first as they are asked for: from where they are kept, else counted from the jobs, newest first, and
 * kept when the day is over and its jobs have ended. What one call may read is bounded: of a day that it did not get through there
 * is no `before`, and the next call goes on. To count again does no harm; two at the same time write the same.
 */
export async function countDays(
  deps: Deps,
  days: readonly string[],
  most = MOST_JOBS,
): Promise<DayCounts[]> {
  const known = await keptDays(deps, days);
  const now = deps.system.now();
  const today = new Date(now).toISOString().slice(0, 10);
  const walk = jobsDown(deps);
  let left = most.before;
  const all: DayCounts[] = [];
  for (const day of days) {
    const kept = known.get(day);
    if (kept?.before !== undefined) {
      walk.jumpTo(kept.before);
      all.push(kept);
      continue;
    }
    if (kept?.counted_to !== undefined) walk.jumpTo(kept.counted_to);
    const room = day === today ? most.today : left;
    const { counts, used } = await countDay(walk, kept ?? noJobs(day), room);
    if (day !== today) left -= used;
    if (counts.before === undefined && day === today) {
      walk.jumpTo(await lastIdBefore(deps, ALL_JOBS, Date.parse(day)));
    }
    if (used > 0 && isKept(counts, now))
      await deps.table.transact([{ put: dayReportItem(counts) }]);
    all.push(counts);
  }
  return all;
}

const noJobs = (day: string): DayCounts => ({ day, rows: [], jobs: 0, open: 0 });

async function keptDays(deps: Deps, days: readonly string[]): Promise<Map<string, DayCounts>> {
  const { partition } = dayReportKey("");
  const range = { from: days.at(-1) ?? "", to: days[0] ?? "" };
  const kept = new Map<string, DayCounts>();
  for await (const { data } of queryAll<DayCounts>(deps, "main", partition, range)) {
    kept.set(data.day, data);
  }
  return kept;
}

type Walk = ReturnType<typeof jobsDown>;

/** Counts on until the first job of the day before it, or until `most` were counted. */
async function countDay(
  walk: Walk,
  known: DayCounts,
  most: number,
): Promise<{ counts: DayCounts; used: number }> {
  const counter = dayCounter(known);
  const dayAfter = new Date(Date.parse(known.day) + DAY_MS).toISOString();
  for (let used = 0; ; used++) {
    const job = await walk.peek();
    if (!job || job.submit_time < known.day) {
      return { counts: { ...counter.counts(), before: job?.id ?? 0 }, used };
    }
    if (used >= most) return { counts: { ...counter.counts(), counted_to: job.id }, used };
    walk.skip();
    if (job.submit_time < dayAfter) counter.note(job);
  }
}

/** All jobs, newest first, read once; places where all is known are jumped over. */
function jobsDown(deps: Deps) {
  let jobs: AsyncGenerator<{ data: JobRecord }> | undefined;
  let from = MOST_ID;
  let next: JobRecord | undefined;
  return {
    async peek(): Promise<JobRecord | undefined> {
      if (next) return next;
      const range = { reverse: true, limit: 250, to: `${padded(from)}~` };
      jobs ??= queryAll<JobRecord>(deps, ...ALL_JOBS, range);
      const { value, done } = await jobs.next();
      next = done ? undefined : value.data;
      return next;
    },
    skip: () => void (next = undefined),
    /** The next one is at most this. */
    jumpTo(id: number): void {
      if (next?.id === id) return;
      from = id;
      jobs = undefined;
      next = undefined;
    },
  };
}
