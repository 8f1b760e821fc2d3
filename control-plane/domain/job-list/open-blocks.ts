import { AppError } from "../app-error.ts";
import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import { pause } from "../pause.ts";
import { jobIds, type Ids } from "../walk-jobs.ts";
import {
  BLOCK,
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

/** The blocks that have jobs of these ids, by their first ids. */
export interface Blocks {
  /** Some at a time, in the order of the search. Throws `unavailable` when it takes longer than a request may. */
  inTurn(): AsyncGenerator<number[]>;
  /** What is known of one that was packed and can be read as it is. */
  good(first: number): Block | undefined;
  /** Its rows by id, also those of ids beside the search's; it is packed when it can be. */
  read(first: number): Promise<readonly JobRow[]>;
  readonly least: number;
  readonly most: number;
  /** The lab's newest id. */
  readonly newest: number;
}

export async function openBlocks(
  deps: Deps,
  search: Ids,
  columns: readonly Column[],
): Promise<Blocks> {
  const known = await jobIds(deps);
  const newest = known?.newest ?? -1;
  const least = Math.max(search.least ?? 0, known?.oldest ?? 0);
  const most = Math.min(search.most ?? newest, newest);
  const firsts: number[] = [];
  for (let first = firstOf(least); first <= most; first += BLOCK) firsts.push(first);
  const blocks =
    firsts.length > 0 ? await packedBlocks(deps, least, most) : new Map<number, Block>();
  if (search.order === "newest") firsts.reverse();
  const isClosed = (await findClosed(deps)) !== undefined;
  const wanted = new Set(columns);
  const good = (first: number): Block | undefined => {
    const block = blocks.get(first);
    return isGood(block) ? block : undefined;
  };
  return {
    ...{ least, most, newest, good },
    async *inTurn() {
      const until = deps.system.now() + LONGEST_MS;
      for (let at = 0; at < firsts.length; at += ABREAST) {
        if (at > 0) await pause();
        if (deps.system.now() > until) throw notReady(at * BLOCK, firsts.length * BLOCK);
        yield firsts.slice(at, at + ABREAST);
      }
    },
    async read(first) {
      const packed = good(first);
      const rows = packed && (await readPacked(deps, packed, wanted));
      if (rows) return rows;
      const jobs = await readBlock(deps, first);
      if (!isClosed) await packBlock(deps, first, { block: blocks.get(first), jobs, newest });
      return jobs;
    },
  };
}

function notReady(done: number, all: number): AppError {
  const message = `the list of all jobs is being made ready, ${done} of ${all} ids are: ask again, or name a submitter__username, an actual_device__hostname, id__gt or id__lt`;
  return new AppError("unavailable", message, { retryAfterSeconds: 5 });
}
