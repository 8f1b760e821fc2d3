import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import { attemptOf, findJobItem, type JobRecord } from "../job-record.ts";
import { attemptKey, dayReportKey, padded } from "../keys.ts";
import { queryAll } from "../query-all.ts";
import { ALL_JOBS, lastIdBefore } from "../submitted-before.ts";
import { DAY_MS, dayCounter, dayReportItem, isKept, type DayCounts } from "./day-counts.ts";

/** How many jobs one call counts anew: of today, and of all other days. */
const MOST_JOBS = { today: 2500, before: 5000 };
/** And how many it looks at again that were open, the newest days first. */
const MOST_AGAIN = 500;
const MOST_ID = 10 ** 12 - 1;

/**
 * The counts of days, newest first as they are asked for: from where they are kept, else counted from the jobs, newest first, and
 * kept when the day is over; those of its jobs that had not ended are looked at again. What one call may read is bounded: of a day
 * that it did not get through there is no `before`, and the next call goes on. To count again does no harm; two at the same time
 * write the same. While the lab is closed nothing is kept: a backup that is being restored has not all jobs yet.
 */
export async function countDays(
  deps: Deps,
  days: readonly string[],
  most = MOST_JOBS,
): Promise<DayCounts[]> {
  const known = await keptDays(deps, days);
  const isClosed = (await findClosed(deps)) !== undefined;
  const now = deps.system.now();
  const today = new Date(now).toISOString().slice(0, 10);
  const walk = jobsDown(deps);
  const keep = async (counts: DayCounts): Promise<void> => {
    if (!isClosed) await deps.table.transact([{ put: dayReportItem(counts) }]);
  };
  let left = most.before;
  let again = MOST_AGAIN;
  const all: DayCounts[] = [];
  for (const day of days) {
    const was = known.get(day);
    const kept = was && (await lookAgain(deps, was, again));
    again -= Math.min(again, was?.open_jobs.length ?? 0);
    if (kept?.before !== undefined) {
      walk.jumpTo(kept.before);
      if (kept !== was) await keep(kept);
      all.push(kept);
      continue;
    }
    if (kept?.counted_to !== undefined) walk.jumpTo(kept.counted_to);
    const room = day === today ? most.today : left;
    const { counts, used } = await countDay(deps, walk, kept ?? noJobs(day), room);
    if (day !== today) left -= used;
    if (counts.before === undefined && day === today) {
      walk.jumpTo(await lastIdBefore(deps, ALL_JOBS, Date.parse(day)));
    }
    if ((used > 0 || kept !== was) && isKept(counts, now)) await keep(counts);
    all.push(counts);
  }
  return all;
}

const noJobs = (day: string): DayCounts => ({
  ...{ day, rows: [], jobs: 0, open: 0, open_jobs: [] },
});

async function keptDays(deps: Deps, days: readonly string[]): Promise<Map<string, DayCounts>> {
  const { partition } = dayReportKey("");
  const range = { from: days.at(-1) ?? "", to: days[0] ?? "" };
  const kept = new Map<string, DayCounts>();
  for await (const { data } of queryAll<DayCounts>(deps, "main", partition, range)) {
    kept.set(data.day, data);
  }
  return kept;
}

/** A day's counts with those jobs where they belong that have ended since; the same when none has. */
async function lookAgain(deps: Deps, kept: DayCounts, most: number): Promise<DayCounts> {
  const open = kept.open_jobs.slice(0, most);
  const jobs = await Promise.all(open.map(({ id }) => findJobItem(deps, id)));
  const counter = dayCounter(kept);
  let isChanged = false;
  for (const [n, one] of open.entries()) {
    const job = jobs[n]?.data;
    if (job && job.state !== "Finished") continue;
    isChanged = true;
    counter.takeBack(one);
    if (job) await noteJob(deps, counter, job);
  }
  return isChanged ? { ...kept, ...counter.counts() } : kept;
}

/** Counts a job, and the attempts before that others had to follow: those are no jobs, but their devices were at fault or busy. */
async function noteJob(
  deps: Deps,
  counter: ReturnType<typeof dayCounter>,
  job: JobRecord,
): Promise<void> {
  counter.note(job);
  if (job.state !== "Finished") return;
  for (let attempt = 1; attempt < attemptOf(job); attempt++) {
    const before = await deps.table.get<JobRecord>(attemptKey(job.id, attempt));
    if (before) counter.noteAttempt(before.data);
  }
}

type Walk = ReturnType<typeof jobsDown>;

/** Counts on until the first job of the day before it, or until `most` were counted. */
async function countDay(
  deps: Deps,
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
    if (job.submit_time < dayAfter) await noteJob(deps, counter, job);
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
