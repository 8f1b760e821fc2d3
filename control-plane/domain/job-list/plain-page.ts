import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import { padded } from "../keys.ts";
import { queryAll } from "../query-all.ts";
import type { Ids } from "../walk-jobs.ts";
import { BLOCK, countOf } from "./job-blocks.ts";
import { openBlocks, type Blocks } from "./open-blocks.ts";

/** Of the newest ids, whose jobs may not have ended: where nothing is packed, the number of jobs is enough. What is older is packed by who reads it. */
const COUNTED_IDS = 200_000;

/** A page of ids. */
export interface PlainSearch extends Ids {
  readonly offset: number;
  readonly limit: number;
  /** False: nobody wants the number, so that the search ends with the page; it counts up to there then. */
  readonly isCounted?: boolean;
}

/** How many jobs there are, and the ids of those of the page. */
export interface Found {
  readonly count: number;
  readonly ids: number[];
}

/** A page of all jobs, for whoever may see all: only those of the page are read, the others are counted. */
export async function plainPage(deps: Deps, search: PlainSearch): Promise<Found> {
  const { offset, limit, isCounted = true } = search;
  const blocks = await openBlocks(deps, search, []);
  const ids: number[] = [];
  let count = 0;
  for await (const some of blocks.inTurn()) {
    for (const first of some) {
      if (!isCounted && count >= offset + limit) return { count, ids };
      const page = { from: Math.max(0, offset - count), to: offset + limit - count };
      const part = await partOf(deps, { search, blocks, first, page });
      ids.push(...part.ids);
      count += part.count;
    }
  }
  return { count, ids };
}

interface Part {
  readonly search: PlainSearch;
  readonly blocks: Blocks;
  readonly first: number;
  /** Which of the block's jobs are wanted: the places behind `from` and before `to`. */
  readonly page: { readonly from: number; readonly to: number };
}

async function partOf(deps: Deps, part: Part): Promise<Found> {
  const { search, blocks, first, page } = part;
  const { least, most, newest } = blocks;
  const last = first + BLOCK - 1;
  const packed = blocks.good(first);
  const isWhole = first >= least && last <= most;
  const known = packed && isWhole ? countOf(deps, packed) : undefined;
  const isElsewhere = (count: number) => page.from >= count || page.to <= 0;
  if (known !== undefined && isElsewhere(known)) return { count: known, ids: [] };
  if (!packed && first > newest - COUNTED_IDS) {
    const range = { from: padded(Math.max(first, least)), to: padded(Math.min(last, most)) };
    const count = await deps.table.count("i1", "jobs", range);
    return { count, ids: isElsewhere(count) ? [] : await idsAt(deps, part, range) };
  }
  const rows = await blocks.read(first);
  const ids = rows.map(({ id }) => id).filter((id) => id >= least && id <= most);
  if (search.order === "newest") ids.reverse();
  return { count: ids.length, ids: ids.slice(page.from, Math.max(0, page.to)) };
}

/** The ids at the places of the page, from the table. */
async function idsAt(
  deps: Deps,
  { search, page: { from, to } }: Part,
  range: { from: string; to: string },
): Promise<number[]> {
  const ids: number[] = [];
  const asked = { ...range, reverse: search.order === "newest", limit: Math.min(to, BLOCK) };
  for await (const { data } of queryAll<JobRecord>(deps, "i1", "jobs", asked)) {
    ids.push(data.id);
    if (ids.length === to) break;
  }
  return ids.slice(from);
}
