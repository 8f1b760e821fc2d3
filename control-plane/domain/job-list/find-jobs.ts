import { hasOnLab } from "../access.ts";
import { AppError } from "../app-error.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import type { Principal } from "../principal.ts";
import { sightOf, type Sight } from "../visible.ts";
import { openBlocks } from "./open-blocks.ts";
import type { Column } from "./pack-rows.ts";
import { plainPage, type Found, type PlainSearch } from "./plain-page.ts";

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
export interface JobSearch extends PlainSearch {
  /** Absent: the order of the ids. */
  readonly compare?: ((a: JobRecord, b: JobRecord) => number) | undefined;
  /** What `fits` and `compare` look at. */
  readonly columns: readonly Column[];
  /** Absent: every job does. */
  readonly fits?: ((job: JobRecord) => boolean) | undefined;
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
): Promise<Found> {
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
  const { order, fits, compare, columns } = search;
  const seesAll = hasOnLab(sight.access, "admin");
  if (seesAll && !fits && !compare) return plainPage(deps, search);
  const page = compare ? bestPage(search, compare) : pageInTurn(search);
  const maySee = seesAll ? undefined : rememberedSight(sight);
  const wanted = [...columns, ...(seesAll ? [] : VISIBILITY)];
  const blocks = await openBlocks(deps, search, wanted);
  const { least, most } = blocks;
  const isEnough = () => search.isCounted === false && page.isFull();
  for await (const some of blocks.inTurn()) {
    if (isEnough()) break;
    for (const rows of await Promise.all(some.map((first) => blocks.read(first)))) {
      for (const row of order === "newest" && !compare ? rows.toReversed() : rows) {
        // A row has the columns that are looked at.
        const job = row as JobRecord;
        if (job.id < least || job.id > most || (fits && !fits(job))) continue;
        if (!maySee || (await maySee(job))) page.take(job);
      }
    }
  }
  return page.end();
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
  isFull(): boolean;
  end(): Found;
}

function pageInTurn({ offset, limit }: JobSearch): Gathered {
  const ids: number[] = [];
  let count = 0;
  return {
    take({ id }) {
      if (count >= offset && count < offset + limit) ids.push(id);
      count += 1;
    },
    isFull: () => count >= offset + limit,
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
    isFull: () => false,
    end: () => ({
      count,
      ids: best
        .sort(inOrder)
        .slice(offset, wanted)
        .map(({ id }) => id),
    }),
  };
}
