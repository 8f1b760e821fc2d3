import { JOB_HEALTHS, JOB_STATES } from "#protocol/states.ts";
import type { Deps } from "../../domain/deps.ts";
import type { JobRecord } from "../../domain/job-record.ts";
import type { Walked } from "../../domain/walk-jobs.ts";
import type { RouteContext } from "../../http/route.ts";
import { badField } from "./drf.ts";
import { readFilters, readOrdering, type Fields, type Fits } from "./lookups.ts";
import { addressOf, linkTo, pageAnswer, rangeOf, type Page, type PageRange } from "./pages.ts";

/** Each has its definition, which is a file of its own. */
const MOST_JOBS = 200;
/** Of jobs whose definition has to be read to know whether they fit. */
const MOST_READ = 200;
const MOST_NAMED = 200;
/** Of a page; definitions may have a million characters each. */
const MOST_CHARS = 16 * 1024 * 1024;

const walks = () => import("../../domain/walk-jobs.ts");

const text = (of: (job: JobRecord) => string | undefined | readonly string[]) =>
  ({ kind: "text", of }) as const;
const time = (of: (job: JobRecord) => string | undefined) => ({ kind: "time", of }) as const;

/** What jobs can be filtered by, under LAVA's names. */
export const JOB_FIELDS: Fields<JobRecord> = {
  id: { kind: "number", of: ({ id }) => id },
  submitter: text((job) => job.submitter),
  submitter__username: text((job) => job.submitter),
  description: text((job) => job.description),
  state: { kind: "choice", choices: JOB_STATES, of: ({ state }) => state },
  health: { kind: "choice", choices: JOB_HEALTHS, of: ({ health }) => health },
  priority: { kind: "number", of: ({ priority }) => priority },
  health_check: { kind: "flag", of: (job) => job.health_check === true },
  requested_device_type: text((job) => job.device_type),
  requested_device_type__name: text((job) => job.device_type),
  actual_device: text((job) => job.device),
  actual_device__hostname: text((job) => job.device),
  requested_device: text((job) => job.requested_device),
  requested_device__hostname: text((job) => job.requested_device),
  tags__name: text((job) => job.tags),
  viewing_groups__name: text((job) => job.viewing_groups ?? []),
  failure_comment: text((job) => job.error_msg),
  target_group: text((job) => job.group),
  submit_time: time((job) => job.submit_time),
  start_time: time((job) => job.start_time),
  end_time: time((job) => job.end_time),
};
const SEARCHED = ["description", "submitter", "actual_device", "requested_device_type"];

/** Ids are given in the order of submission. */
const BY_ID = /^(-?)(id|submit_time)$/;

/**
 * A page of jobs, oldest first unless `ordering` says otherwise, as LAVA's. Without a filter it is found by the ids, which are dense:
 * `count` is how many there have been since the oldest that is kept, and what one may not see is left out of a page. By states in
 * which jobs have not ended these are looked at. With other filters, so many jobs are looked at as one request can (walk-jobs.ts), of a
 * device or submitter that is named those; where there are more, the page is `partial` and `next` goes on behind them.
 */
export async function jobPage(
  deps: Deps,
  c: RouteContext,
  view: (job: JobRecord) => Promise<unknown>,
): Promise<Page> {
  const query = addressOf(c).searchParams;
  const fits = filtersOf(deps, query, c.req.query("search"));
  const range = rangeOf(c, MOST_JOBS);
  const asked = query.get("ordering") ?? "id";
  // What orders by nothing that is known is as if nothing had been said.
  const ordering = readOrdering(JOB_FIELDS, asked) ? asked : "id";
  const [, sign] = BY_ID.exec(ordering.split(",", 1)[0] ?? "") ?? [];
  const order = sign === "-" ? "newest" : "oldest";
  const few = await fewJobs(deps, c, query, fits);
  if (few) {
    const found = await filtered(few, fits);
    return shown(c, range, inOrder(found, ordering), view);
  }
  if (fits.length === 0 && sign !== undefined) return pageByIds(deps, c, range, order, view);
  const { walkJobs } = await walks();
  const found = await walkJobs(
    deps,
    c.var.principal,
    {
      ...{ order, ...startOf(query, order), steps: fits.some(isCostly) ? MOST_READ : undefined },
      wanted: sign === undefined ? undefined : range,
    },
    async (job) => (await filtered([job], fits)).length > 0,
  );
  return walkedPage(c, range, { ...found, ordering, isById: sign !== undefined }, view);
}

/** Of what a walk found; `jobs` are those of the page when they are in the order of the ids, else all. */
async function walkedPage(
  c: RouteContext,
  range: PageRange,
  { jobs, count, next, ordering, isById }: Walked & { ordering: string; isById: boolean },
  view: (job: JobRecord) => Promise<unknown>,
): Promise<Page & { partial?: string }> {
  if (!isById && next !== undefined) {
    const message = `more jobs than can be put in order: expected id, -id, submit_time or -submit_time, or filters by which fewer are looked at (submitter__username, actual_device__hostname, id__gt)`;
    throw badField("ordering", message);
  }
  const page = isById
    ? pageAnswer(c, range, count, await inTurn(jobs, view))
    : await shown(c, range, inOrder(jobs, ordering), view);
  if (next === undefined) return page;
  const partial = `count is of the jobs that were looked at; those from id ${next} on were not: next goes on with them`;
  if (page.next !== null) return { ...page, partial };
  const on = linkTo(c, { limit: range.limit, from_id: next, offset: undefined });
  return { ...page, next: on, partial };
}

/** Those among which all that fit are, where these are few: by id, or because they have not ended. */
async function fewJobs(
  deps: Deps,
  c: RouteContext,
  query: URLSearchParams,
  fits: readonly JobFits[],
): Promise<readonly JobRecord[] | undefined> {
  const { principal } = c.var;
  const named = namedIds(query);
  if (named) return (await walks()).jobsNamed(deps, principal, named);
  const states = query.get("state__in")?.split(",") ?? [
    query.get("state") ?? query.get("state__exact") ?? "Finished",
  ];
  if (states.some((state) => state.trim() === "Finished") || fits.some(isCostly)) return undefined;
  const { unfinishedJobs } = await import("../../domain/unfinished-jobs.ts");
  const isSubmittedOnly = states.every((state) => state.trim() === "Submitted");
  const jobs = await unfinishedJobs(deps, { isSubmittedOnly });
  return jobs && (await walks()).jobsInSight(deps, principal, jobs);
}

async function pageByIds(
  deps: Deps,
  c: RouteContext,
  range: PageRange,
  order: "newest" | "oldest",
  view: (job: JobRecord) => Promise<unknown>,
): Promise<Page> {
  const { jobIds, walkJobs } = await walks();
  const ids = await jobIds(deps);
  if (!ids) return pageAnswer(c, range, 0, []);
  const { limit, offset } = range;
  const first = order === "newest" ? ids.newest - offset - limit + 1 : ids.oldest + offset;
  const where = { order, least: Math.max(0, first), most: first + limit - 1, steps: limit };
  const { jobs } = await walkJobs(deps, c.var.principal, where, () => true);
  return pageAnswer(c, range, ids.newest - ids.oldest + 1, await inTurn(jobs, view));
}

async function shown(
  c: RouteContext,
  range: PageRange,
  jobs: readonly JobRecord[],
  view: (job: JobRecord) => Promise<unknown>,
): Promise<Page> {
  const some = jobs.slice(range.offset, range.offset + range.limit);
  return pageAnswer(c, range, jobs.length, await inTurn(some, view));
}

/** A few at a time: each reads its definition. Throws a refusal when they are too long for one page. */
async function inTurn<T, R>(items: readonly T[], view: (item: T) => Promise<R>): Promise<R[]> {
  const views: R[] = [];
  let chars = 0;
  for (let at = 0; at < items.length; at += 8) {
    const some = await Promise.all(items.slice(at, at + 8).map(view));
    views.push(...some);
    for (const value of some.flatMap((one) => Object.values(one as object))) {
      if (typeof value === "string") chars += value.length;
    }
    if (chars <= MOST_CHARS) continue;
    const most = Math.max(1, Math.floor((views.length * MOST_CHARS) / chars));
    const message = `Expected at most ${most}: the definitions of these jobs are too long for more in one page.`;
    throw badField("limit", message);
  }
  return views;
}

type JobFits = Fits<JobRecord> | { readonly reads: (job: JobRecord) => Promise<boolean> };

const isCostly = (fits: JobFits): boolean => typeof fits !== "function";

async function filtered(jobs: readonly JobRecord[], fits: readonly JobFits[]) {
  const found: JobRecord[] = [];
  for (const job of jobs) {
    let isFit = fits.every((one) => typeof one !== "function" || one(job));
    for (const one of fits) {
      if (isFit && typeof one !== "function") isFit = await one.reads(job);
    }
    if (isFit) found.push(job);
  }
  return found;
}

function filtersOf(deps: Deps, query: URLSearchParams, search = ""): JobFits[] {
  const fits: JobFits[] = readFilters(JOB_FIELDS, query);
  if (search !== "") {
    const wanted = search.toLowerCase();
    const texts = (job: JobRecord) => SEARCHED.map((name) => JOB_FIELDS[name]?.of(job) ?? "");
    fits.push((job) => texts(job).some((one) => String(one).toLowerCase().includes(wanted)));
  }
  const metadata = [...query].filter(([name]) => name.startsWith("metadata__"));
  if (metadata.length > 0) fits.push({ reads: metadataFit(deps, metadata) });
  return fits;
}

/** `metadata__build-id=12`, as newer servers have it; with the lookups of texts behind another `__`. */
function metadataFit(deps: Deps, wanted: readonly [string, string][]) {
  return async (job: JobRecord): Promise<boolean> => {
    const { jobMetadata } = await import("../../domain/results/job-metadata.ts");
    const metadata = await jobMetadata(deps, job.id);
    const fields = Object.entries(metadata).map(
      ([name, value]) => [`metadata__${name}`, { kind: "text", of: () => value }] as const,
    );
    const query = new URLSearchParams(wanted.map(([name, value]) => [name, value]));
    const filters = readFilters<object>(Object.fromEntries(fields), query);
    // A filter for an attribute that the job does not have is none of its.
    return filters.length === wanted.length && filters.every((fits) => fits({}));
  };
}

function inOrder(jobs: readonly JobRecord[], ordering: string): readonly JobRecord[] {
  const compare = readOrdering(JOB_FIELDS, ordering);
  return compare ? jobs.toSorted(compare) : jobs;
}

/** `id=7`, `id__in=7,8`: looked up one by one. */
function namedIds(query: URLSearchParams): number[] | undefined {
  const text = query.get("id") ?? query.get("id__exact") ?? query.get("id__in");
  if (text === null) return undefined;
  const ids = text.split(",").filter((one) => /^\s*\d{1,12}\s*$/.test(one));
  if (ids.length > MOST_NAMED) throw badField("id__in", `Expected at most ${MOST_NAMED} ids.`);
  return [...new Set(ids.map(Number))];
}

/** Which list a walk goes along, and between which ids. */
function startOf(query: URLSearchParams, order: "newest" | "oldest") {
  const one = (...names: string[]) =>
    names.map((name) => query.get(name)).find((value) => value !== null) ?? undefined;
  const id = (name: string, add: number) => {
    const text = query.get(name) ?? "";
    return /^\d{1,12}$/.test(text) ? [Number(text) + add] : [];
  };
  const from = id("from_id", 0);
  const least = [...id("id__gt", 1), ...id("id__gte", 0), ...(order === "oldest" ? from : [])];
  const most = [...id("id__lt", -1), ...id("id__lte", 0), ...(order === "newest" ? from : [])];
  return {
    device: one("actual_device__hostname", "actual_device"),
    submitter: one("submitter__username", "submitter"),
    ...(least.length > 0 ? { least: Math.max(...least) } : {}),
    ...(most.length > 0 ? { most: Math.min(...most) } : {}),
  };
}
