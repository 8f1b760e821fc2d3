import type { Deps } from "../../domain/deps.ts";
import type { JobRecord } from "../../domain/job-record.ts";
import type { Walked } from "../../domain/walk-jobs.ts";
import type { RouteContext } from "../../http/route.ts";
import { badField } from "./drf.ts";
import { JOB_FIELDS, jobFilters, type JobFilters } from "./job-filters.ts";
import { readOrdering } from "./lookups.ts";
import { addressOf, linkTo, pageAnswer, rangeOf, type Page, type PageRange } from "./pages.ts";

/** Of jobs whose definition has to be read to know whether they fit. */
const MOST_READ = 500;
/** The jobs of a device or submitter that has no more are read as they are. */
const MOST_OF_ONE = 2000;
const MOST_NAMED = 1000;
/** Of a page; definitions may have a million characters each. */
const MOST_CHARS = 16 * 1024 * 1024;

const walks = () => import("../../domain/walk-jobs.ts");

/** Ids are given in the order of submission. */
const BY_ID = /^(-?)(id|submit_time)$/;

type View = (job: JobRecord) => Promise<unknown>;

/** A list that was asked for. */
interface Asked {
  readonly query: URLSearchParams;
  readonly filters: JobFilters;
  readonly range: PageRange;
  /** By which fields; `id` where nothing is said that is known. */
  readonly ordering: string;
  readonly isById: boolean;
  readonly order: "newest" | "oldest";
}

/**
 * A page of jobs, oldest first unless `ordering` says otherwise, as LAVA's: those that whoever asks may see and that fit, with their
 * number. Named ids, jobs that have not ended and those of a device or submitter that has few are read themselves; all else is looked
 * for in what is kept in short (domain/job-list). What definitions say is read from so many of them only: then a page is `partial` and
 * `next` goes on behind them.
 */
export async function jobPage(deps: Deps, c: RouteContext, view: View): Promise<Page> {
  const query = addressOf(c).searchParams;
  const said = query.get("ordering") ?? "id";
  // What orders by nothing that is known is as if nothing had been said.
  const ordering = readOrdering(JOB_FIELDS, said) ? said : "id";
  const [, sign] = BY_ID.exec(ordering.split(",", 1)[0] ?? "") ?? [];
  const asked: Asked = {
    ...{ query, ordering, filters: jobFilters(deps, query), range: rangeOf(c) },
    isById: sign !== undefined,
    order: sign === "-" ? "newest" : "oldest",
  };
  const few = await fewJobs(deps, c, asked);
  if (few) return shown(c, asked, await filtered(few, asked.filters), view);
  if (asked.filters.reads) return readPage(deps, c, asked, view);
  const { findJobs } = await import("../../domain/job-list/find-jobs.ts");
  const { fits, columns } = asked.filters;
  const { count, ids } = await findJobs(deps, c.var.principal, {
    ...{ order: asked.order, columns, ...startOf(asked), ...asked.range },
    compare: asked.isById ? undefined : readOrdering(JOB_FIELDS, ordering),
    fits: fits.length === 0 ? undefined : (job) => fits.every((one) => one(job)),
  });
  const jobs = await (await walks()).jobsNamed(deps, c.var.principal, ids);
  if (jobs.length < ids.length) {
    const { unpackMissing } = await import("../../domain/job-list/job-blocks.ts");
    await unpackMissing(deps, ids);
  }
  return pageAnswer(c, asked.range, count, await inTurn(jobs, view));
}

/** Those among which all that fit are, where these are few. */
async function fewJobs(
  deps: Deps,
  c: RouteContext,
  asked: Asked,
): Promise<readonly JobRecord[] | undefined> {
  const { query, filters } = asked;
  const { principal } = c.var;
  const named = namedIds(query);
  const { jobsInSight, jobsNamed, walkJobs } = await walks();
  if (named) return jobsNamed(deps, principal, named);
  const states = query.get("state__in")?.split(",") ?? [
    query.get("state") ?? query.get("state__exact") ?? "Finished",
  ];
  if (!filters.reads && !states.some((state) => state.trim() === "Finished")) {
    const { unfinishedJobs } = await import("../../domain/unfinished-jobs.ts");
    const isSubmittedOnly = states.every((state) => state.trim() === "Submitted");
    const jobs = await unfinishedJobs(deps, { isSubmittedOnly });
    return jobs && jobsInSight(deps, principal, jobs);
  }
  const of = ofOne(query);
  if (!of || filters.reads) return undefined;
  const walk = { order: "oldest", ...startOf(asked), ...of, steps: MOST_OF_ONE } as const;
  const { jobs, next } = await walkJobs(deps, principal, walk, () => true);
  return next === undefined ? jobs : undefined;
}

/** Of what definitions say. */
async function readPage(
  deps: Deps,
  c: RouteContext,
  asked: Asked,
  view: View,
): Promise<Page & { partial?: string }> {
  const { filters, isById, order, query, range } = asked;
  const { walkJobs } = await walks();
  const { jobs, count, next }: Walked = await walkJobs(
    deps,
    c.var.principal,
    {
      ...{ order, ...startOf(asked), ...ofOne(query), steps: MOST_READ },
      wanted: isById ? range : undefined,
    },
    async (job) => (await filtered([job], filters)).length > 0,
  );
  if (!isById && next !== undefined) {
    const message = `more definitions than one request reads: expected id, -id, submit_time or -submit_time, or filters by which fewer are looked at (submitter__username, actual_device__hostname, id__gt)`;
    throw badField("ordering", message);
  }
  const page = isById
    ? pageAnswer(c, range, count, await inTurn(jobs, view))
    : await shown(c, asked, jobs, view);
  if (next === undefined) return page;
  const partial = `count is of the jobs whose definitions were read; those from id ${next} on were not: next goes on with them`;
  if (page.next !== null) return { ...page, partial };
  const on = linkTo(c, { limit: range.limit, from_id: next, offset: undefined });
  return { ...page, next: on, partial };
}

async function shown(
  c: RouteContext,
  { ordering, range }: Asked,
  found: readonly JobRecord[],
  view: View,
): Promise<Page> {
  const compare = readOrdering(JOB_FIELDS, ordering);
  const jobs = compare ? found.toSorted(compare) : found;
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

async function filtered(jobs: readonly JobRecord[], { fits, reads }: JobFilters) {
  const found: JobRecord[] = [];
  for (const job of jobs) {
    if (fits.every((one) => one(job)) && (!reads || (await reads(job)))) found.push(job);
  }
  return found;
}

/** `id=7`, `id__in=7,8`: looked up one by one. */
function namedIds(query: URLSearchParams): number[] | undefined {
  const text = query.get("id") ?? query.get("id__exact") ?? query.get("id__in");
  if (text === null) return undefined;
  const ids = text.split(",").filter((one) => /^\s*\d{1,12}\s*$/.test(one));
  if (ids.length > MOST_NAMED) throw badField("id__in", `Expected at most ${MOST_NAMED} ids.`);
  return [...new Set(ids.map(Number))];
}

/** The one device or submitter whose jobs are looked for. */
function ofOne(query: URLSearchParams) {
  const one = (...names: string[]) =>
    names.map((name) => query.get(name)).find((value) => value !== null) ?? undefined;
  const device = one("actual_device__hostname", "actual_device");
  const submitter = one("submitter__username", "submitter");
  return device === undefined && submitter === undefined ? undefined : { device, submitter };
}

/** Between which ids. */
function startOf({ query, order }: Pick<Asked, "query" | "order">) {
  const id = (name: string, add: number) => {
    const text = query.get(name) ?? "";
    return /^\d{1,12}$/.test(text) ? [Number(text) + add] : [];
  };
  const from = id("from_id", 0);
  const least = [...id("id__gt", 1), ...id("id__gte", 0), ...(order === "oldest" ? from : [])];
  const most = [...id("id__lt", -1), ...id("id__lte", 0), ...(order === "newest" ? from : [])];
  return {
    ...(least.length > 0 ? { least: Math.max(...least) } : {}),
    ...(most.length > 0 ? { most: Math.min(...most) } : {}),
  };
}
