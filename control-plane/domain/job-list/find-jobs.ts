import { hasOnLab } from "../access.ts";
import { AppError } from "../app-error.ts";
import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import { pause } from "../pause.ts";
import type { Principal } from "../principal.ts";
import { sightOf, type Sight } from "../visible.ts";
import { jobIds } from "../walk-jobs.ts";
import {
  BLOCK,
  countOf,
  firstOf,
  isGood,
  packBlock,
  packedBlocks,
  readBlock,
  readPacked,
  type Block,
} from "./job-blocks.ts";
import type { Column, JobRow } from "./pack-rows.ts";

/** Blocks that are read at the same time: packed they have some 50 KB each. */
const ABREAST = 16;
/** How long one request may take; the cloud gives it 30 s. */
const LONGEST_MS = 20_000;
/** How far behind the first of an order of one's own a page may end: so many are kept in memory. */
export const MOST_ORDERED = 200_000;
/** How many may look through all jobs at the same time, in one process. */
const MOST_AT_ONCE = 6;
const VISIBILITY: readonly Column[] = [
  "submitter",
  "visibility",
  "viewing_groups",
  "device",
  "device_type",
];

/** What is looked for. */
export interface JobSearch {
  /** Without `compare`, the order of the ids. */
  readonly order: "newest" | "oldest";
  readonly compare?: ((a: JobRecord, b: JobRecord) => number) | undefined;
  /** Ids, both inclusive. */
  readonly least?: number | undefined;
  readonly most?: number | undefined;
  /** What `fits` and `compare` look at. */
  readonly columns: readonly Column[];
  /** Absent: every job does. */
  readonly fits?: ((job: JobRecord) => boolean) | undefined;
  readonly offset: number;
  readonly limit: number;
  /** False: nobody wants the number, so that the search ends with the page; it counts up to there then. */
  readonly isCounted?: boolean;
}

let running = 0;

/**
 * How many of the jobs that whoever asks may see fit, and the ids of those of one page. Exact, however many jobs there are. Throws
 * `unavailable` in a lab whose old jobs were not yet made ready for it: each call goes on with that. Throws `throttled` when too many
 * look at once.
 */
export async function findJobs(
  deps: Deps,
  principal: Principal,
  search: JobSearch,
): Promise<{ count: number; ids: number[] }> {
  if (search.compare && search.offset + search.limit > MOST_ORDERED) {
    const message = `offset: in this order expected at most ${MOST_ORDERED} with limit; narrow the list by filters, or order it by id`;
    throw new AppError("invalid", message);
  }
  if (running >= MOST_AT_ONCE) {
    const message = "too many look through all jobs at the same time: ask again in a second";
    throw new AppError("throttled", message, { retryAfterSeconds: 1 });
  }
  running += 1;
  try {
    return await lookThrough(deps, await sightOf(deps, principal), search);
  } finally {
    running -= 1;
  }
}

async function lookThrough(deps: Deps, sight: Sight, search: JobSearch) {
  const { order, fits, compare } = search;
  const seesAll = hasOnLab(sight.access, "admin");
  const columns = new Set<Column>([...search.columns, ...(seesAll ? [] : VISIBILITY)]);
  const page = compare ? bestPage(search, compare) : pageInTurn(search);
  const maySee = seesAll ? undefined : rememberedSight(sight);
  const { firsts, blocks, least, most, newest } = await blocksOf(deps, search);
  const isClosed = (await findClosed(deps)) !== undefined;
  const until = deps.system.now() + LONGEST_MS;
  const read = async (first: number): Promise<readonly JobRow[] | number> => {
    const block = blocks.get(first);
    if (isGood(block)) {
      const isWhole = first >= least && first + BLOCK - 1 <= most;
      const count = isWhole && seesAll && !fits ? countOf(deps, block) : undefined;
      if (count !== undefined && page.isElsewhere(count)) return count;
      const rows = await readPacked(deps, block, columns);
      if (rows) return rows;
    }
    const jobs = await readBlock(deps, first);
    if (!isClosed) await packBlock(deps, first, { block, jobs, newest });
    return jobs;
  };
  const isEnough = () => search.isCounted === false && !compare && page.isElsewhere(0);
  for (let at = 0; at < firsts.length && !isEnough(); at += ABREAST) {
    if (at > 0) await pause();
    if (deps.system.now() > until) throw notReady(at * BLOCK, firsts.length * BLOCK);
    // Where only numbers are added up, the next block has to know what those before it had.
    const some = firsts.slice(at, at + ABREAST);
    const parts = seesAll && !fits ? undefined : await Promise.all(some.map(read));
    for (const [n, first] of some.entries()) {
      const part = parts?.[n] ?? (await read(first));
      if (typeof part === "number") {
        page.pass(part);
        continue;
      }
      for (const row of order === "newest" && !compare ? part.toReversed() : part) {
        // A row has the columns that are looked at.
        const job = row as JobRecord;
        if (job.id < least || job.id > most || job.retried || (fits && !fits(job))) continue;
        if (!maySee || (await maySee(job))) page.take(job);
      }
    }
  }
  return page.end();
}

async function blocksOf(deps: Deps, search: JobSearch) {
  const known = await jobIds(deps);
  const newest = known?.newest ?? -1;
  const least = Math.max(search.least ?? 0, known?.oldest ?? 0);
  const most = Math.min(search.most ?? newest, newest);
  const firsts: number[] = [];
  for (let first = firstOf(least); first <= most; first += BLOCK) firsts.push(first);
  const blocks =
    firsts.length > 0 ? await packedBlocks(deps, least, most) : new Map<number, Block>();
  if (search.order === "newest") firsts.reverse();
  return { firsts, blocks, least, most, newest };
}

/** Jobs of one device and one submitter are seen by the same people. */
function rememberedSight(sight: Sight): (job: JobRecord) => Promise<boolean> | boolean {
  const known = new Map<string, boolean>();
  return (job) => {
    const { submitter, visibility = "", viewing_groups = "", device = "", device_type } = job;
    const name = JSON.stringify([submitter, visibility, viewing_groups, device, device_type]);
    const found = known.get(name);
    if (found !== undefined) return found;
    return sight.job(job).then((may) => {
      known.set(name, may);
      return may;
    });
  };
}

/** What one page gathers of the jobs that fit, as they come. */
interface Gathered {
  take(job: JobRecord): void;
  /** So many that fit were not read, as none of them is of the page. */
  pass(count: number): void;
  /** Whether none of the next so many is of the page. */
  isElsewhere(count: number): boolean;
  end(): { count: number; ids: number[] };
}

function pageInTurn({ offset, limit }: JobSearch): Gathered {
  const ids: number[] = [];
  let count = 0;
  return {
    take({ id }) {
      if (count >= offset && count < offset + limit) ids.push(id);
      count += 1;
    },
    pass: (more) => void (count += more),
    isElsewhere: (more) => (more > 0 && count + more <= offset) || count >= offset + limit,
    end: () => ({ count, ids }),
  };
}

/** Keeps the first `offset + limit` in the order, and a few more until they are put in order again. */
function bestPage(
  { offset, limit }: JobSearch,
  compare: NonNullable<JobSearch["compare"]>,
): Gathered {
  const wanted = offset + limit;
  const inOrder = (a: JobRecord, b: JobRecord): number => compare(a, b) || a.id - b.id;
  let best: JobRecord[] = [];
  /** What comes behind it is not of the page. */
  let last: JobRecord | undefined;
  let count = 0;
  return {
    take(job) {
      count += 1;
      if (last && inOrder(job, last) > 0) return;
      best.push(job);
      if (best.length < 2 * wanted + 1000) return;
      best = best.sort(inOrder).slice(0, wanted);
      last = best.at(-1);
    },
    pass: (more) => void (count += more),
    isElsewhere: () => false,
    end: () => ({
      count,
      ids: best
        .sort(inOrder)
        .slice(offset, wanted)
        .map(({ id }) => id),
    }),
  };
}

function notReady(done: number, all: number): AppError {
  const message = `the list of all jobs is being made ready, ${done} of ${all} ids are: ask again, or name a submitter__username, an actual_device__hostname, id__gt or id__lt`;
  return new AppError("unavailable", message, { retryAfterSeconds: 5 });
}
