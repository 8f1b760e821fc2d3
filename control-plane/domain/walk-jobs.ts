import type { Deps } from "./deps.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { padded } from "./keys.ts";
import { pause } from "./pause.ts";
import type { Principal } from "./principal.ts";
import { queryAll, queryFirst } from "./query-all.ts";
import { sightOf } from "./visible.ts";

/** How many jobs one walk looks at, at most; also those that whoever asks may not see. */
export const MOST_WALKED = 20_000;
/** And for how long: what the table gives at once is looked at. */
const LONGEST_MS = 5000;
/** Of a page of the table; others have their turn after each. */
const AT_ONCE = 500;
/** Single jobs that are read at the same time. */
const ABREAST = 50;

/** Between which ids jobs are looked for, both inclusive, and from which end. */
export interface Ids {
  readonly order: "newest" | "oldest";
  readonly least?: number | undefined;
  readonly most?: number | undefined;
}

export interface Walk extends Ids {
  /** Of this device, or else of this submitter, only. */
  readonly device?: string | undefined;
  readonly submitter?: string | undefined;
  /** How many are looked at; `MOST_WALKED` when not given. */
  readonly steps?: number | undefined;
  /** Which of those that fit are wanted; all when not given. The others are only counted. */
  readonly wanted?: { readonly offset: number; readonly limit: number } | undefined;
}

/** What a walk has found. */
export interface Walked {
  readonly jobs: JobRecord[];
  /** How many fit. */
  readonly count: number;
  /** Where another walk goes on; absent: there is no more to look at. */
  readonly next?: number;
}

/**
 * The jobs that fit, of those that whoever asks may see, newest or oldest first. `next` is the id from which another walk goes on,
 * where there are more to look at. Attempts that another one followed are none of them.
 */
export async function walkJobs(
  deps: Deps,
  principal: Principal,
  { order, device, submitter, least = 0, most = MOST_ID, steps = MOST_WALKED, wanted }: Walk,
  fits: (job: JobRecord) => boolean | Promise<boolean>,
): Promise<Walked> {
  const sight = await sightOf(deps, principal);
  const jobs: JobRecord[] = [];
  let count = 0;
  if (least > most) return { jobs, count };
  const range = {
    reverse: order === "newest",
    limit: Math.min(AT_ONCE, steps),
    from: padded(Math.max(0, least)),
    to: `${padded(Math.min(most, MOST_ID))}~`,
  };
  const { offset, limit } = wanted ?? { offset: 0, limit: Infinity };
  const until = deps.system.now() + LONGEST_MS;
  let seen = 0;
  for await (const { data: job } of queryAll<JobRecord>(
    deps,
    ...listOf(device, submitter),
    range,
  )) {
    const isPage = seen > 0 && seen % AT_ONCE === 0;
    if (seen === steps || (isPage && deps.system.now() > until)) {
      return { jobs, count, next: job.id };
    }
    if (isPage) await pause();
    seen += 1;
    if (job.retried || !(await fits(job)) || !(await sight.job(job))) continue;
    if (count >= offset && count < offset + limit) jobs.push(job);
    count += 1;
  }
  return { jobs, count };
}

const MOST_ID = 10 ** 12 - 1;

function listOf(device?: string, submitter?: string): ["i1" | "i3" | "i4", string] {
  if (device !== undefined) return ["i3", `device-jobs#${device}`];
  return submitter === undefined ? ["i1", "jobs"] : ["i4", `submitter-jobs#${submitter}`];
}

/** Those of these jobs that are there and that whoever asks may see, in the order in which they are named. */
export async function jobsNamed(
  deps: Deps,
  principal: Principal,
  ids: readonly number[],
): Promise<JobRecord[]> {
  const jobs: JobRecord[] = [];
  for (let at = 0; at < ids.length; at += ABREAST) {
    const some = await Promise.all(ids.slice(at, at + ABREAST).map((id) => findJobItem(deps, id)));
    jobs.push(...some.flatMap((item) => (item ? [item.data] : [])));
  }
  return jobsInSight(deps, principal, jobs);
}

/** Those of these jobs that whoever asks may see. */
export async function jobsInSight(
  deps: Deps,
  principal: Principal,
  jobs: readonly JobRecord[],
): Promise<JobRecord[]> {
  const sight = await sightOf(deps, principal);
  const seen: JobRecord[] = [];
  for (const job of jobs) if (await sight.job(job)) seen.push(job);
  return seen;
}

/** The ids of the oldest and of the newest job that the lab has; undefined where it has none. */
export async function jobIds(deps: Deps): Promise<{ oldest: number; newest: number } | undefined> {
  const [oldest, newest] = await Promise.all([firstId(deps, false), firstId(deps, true)]);
  return oldest === undefined || newest === undefined ? undefined : { oldest, newest };
}

/** DynamoDB has jobs that are over in its indexes for days: pages of them are empty. */
async function firstId(deps: Deps, reverse: boolean): Promise<number | undefined> {
  for await (const { data } of queryFirst<JobRecord>(deps, "i1", "jobs", { reverse })) {
    return data.id;
  }
  return undefined;
}
