import type { Item, Key, Operation } from "../../ports/table.ts";
import { TableConflict } from "../../ports/table.ts";
import { jobBlockBlob } from "../blob-names.ts";
import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import { findJobItem, type JobRecord } from "../job-record.ts";
import { padded } from "../keys.ts";
import { queryAll, queryPages } from "../query-all.ts";
import { packRows, unpackRows, type Column, type JobRow } from "./pack-rows.ts";

/*
 * Lists of jobs by anything. The jobs of a thousand ids are a block. What of a block has ended is packed in short into one blob, once
 * nothing of it changes any more; a list reads the blobs, the few jobs that were still open, and the newest jobs from the table. So
 * any filter is exact over a million jobs, and a job costs nothing more when it is written. A block is packed by whoever reads it
 * first, and by the tick.
 */

/** Ids of a block. */
export const BLOCK = 1000;
/** Grows when what is packed means something else: a block of another format is packed anew. */
const FORMAT = 1;
/** What ended this long ago changes no more, and every index knows it. */
const SETTLED_MS = 2 * 60 * 1000;
/** A block with more jobs that have not ended is read from the table. */
const MOST_OPEN = 100;
/** Of a page of the table. */
const AT_ONCE = 500;

/** A block in the table. */
export interface BlockRecord {
  format: number;
  /** How many jobs are packed. */
  jobs: number;
  /** Absent where there is none. */
  blob?: string;
  /** Jobs that had not ended: read one by one. */
  open: number[];
  /** When the first of them is forgotten. */
  expires?: string;
  /** A job of it was removed then, in ms: it is to be packed anew. */
  stale?: number;
}
export type Block = Item<BlockRecord>;

const jobBlockKey = (first: number): Key => ({ partition: "job-blocks", sort: padded(first) });

/** The blocks that were packed, of these ids, by their first id. */
export async function packedBlocks(
  deps: Deps,
  least: number,
  most: number,
): Promise<Map<number, Block>> {
  const blocks = new Map<number, Block>();
  const { partition, sort: from } = jobBlockKey(firstOf(least));
  const range = { from, to: jobBlockKey(most).sort, limit: AT_ONCE };
  for await (const block of queryAll<BlockRecord>(deps, "main", partition, range)) {
    blocks.set(Number(block.key.sort), block);
  }
  return blocks;
}

/** First id of the block of a job. */
export const firstOf = (id: number): number => id - (id % BLOCK);

/** Whether it can be read as it is. */
export const isGood = (block: Block | undefined): block is Block =>
  block?.data.format === FORMAT && block.data.stale === undefined;

/**
 * The rows of a block that was packed, in the order of their ids, with these columns; undefined where it has to be read from the
 * table: its blob was replaced meanwhile, or all that was open has ended.
 */
export async function readPacked(
  deps: Deps,
  { data: { blob, open } }: Block,
  columns: ReadonlySet<Column>,
): Promise<JobRow[] | undefined> {
  const [bytes, found] = await Promise.all([
    blob === undefined ? undefined : deps.blobs.get(blob),
    readOpen(deps, open),
  ]);
  if (blob !== undefined && !bytes) return undefined;
  const isRipe = open.length > 0 && found.every((job) => isSettled(deps, job));
  if (isRipe && !deps.settings.archive) return undefined;
  const now = new Date(deps.system.now()).toISOString();
  const rows = bytes ? await unpackRows(deps.system, bytes, new Set([...columns, "expires"])) : [];
  const kept = rows.filter(({ expires }) => expires === undefined || expires > now);
  return found.length === 0 ? kept : [...kept, ...found].toSorted((a, b) => a.id - b.id);
}

/** How many jobs a packed block has; undefined where some may be forgotten by now, or were open. */
export function countOf(deps: Deps, { data }: Block): number | undefined {
  const isAll = data.open.length === 0;
  const isKept = data.expires === undefined || Date.parse(data.expires) > deps.system.now();
  return isAll && isKept ? data.jobs : undefined;
}

async function readOpen(deps: Deps, ids: readonly number[]): Promise<JobRecord[]> {
  const items = await Promise.all(ids.map((id) => findJobItem(deps, id)));
  return items.flatMap((item) => (item ? [item.data] : []));
}

/** The jobs of a block from the table, in the order of their ids. */
export async function readBlock(deps: Deps, first: number): Promise<JobRecord[]> {
  const jobs: JobRecord[] = [];
  const range = { from: padded(first), to: padded(first + BLOCK - 1), limit: AT_ONCE };
  for await (const items of queryPages<JobRecord>(deps, "i1", "jobs", range)) {
    for (const { data } of items) jobs.push(data);
  }
  return jobs;
}

/**
 * Packs a block, if it can be: `jobs` were read after `block` was, so that what happened in between makes the write fail. `newest` is
 * the lab's newest id: ids behind it may still come. Says whether it did.
 */
export async function packBlock(
  deps: Deps,
  first: number,
  { block, jobs, newest }: { block: Block | undefined; jobs: readonly JobRecord[]; newest: number },
): Promise<boolean> {
  const now = deps.system.now();
  const isLate = (time: string) => Date.parse(time) > now - SETTLED_MS;
  const { stale } = block?.data ?? {};
  if (deps.settings.archive || newest < first + BLOCK) return false;
  if (stale !== undefined && stale > now - SETTLED_MS) return false;
  if (jobs.some(({ submit_time }) => isLate(submit_time))) return false;
  const settled = jobs.filter((job) => isSettled(deps, job));
  const open = jobs.filter((job) => !isSettled(deps, job)).map(({ id }) => id);
  if (open.length > MOST_OPEN) return false;
  const expires = settled.map((job) => job.expires ?? "~").reduce((a, b) => (a < b ? a : b), "~");
  const blob = settled.length === 0 ? undefined : jobBlockBlob(first, deps.system.id());
  if (blob !== undefined) await deps.blobs.put(blob, await packRows(deps.system, settled));
  const data: BlockRecord = {
    ...{ format: FORMAT, jobs: settled.length, open },
    ...(blob === undefined ? {} : { blob }),
    ...(expires === "~" ? {} : { expires }),
  };
  const when = block ? { version: block.version } : "absent";
  try {
    await deps.table.transact([{ put: { key: jobBlockKey(first), data }, when }]);
  } catch (error) {
    if (blob !== undefined) await deps.blobs.remove(blob);
    if (error instanceof TableConflict) return false;
    throw error;
  }
  const before = block?.data.blob;
  if (before !== undefined) await deps.blobs.remove(before);
  return true;
}

/** Not one that a silent worker may still end in another way. */
const isSettled = (
  { system }: Deps,
  { state, end_time, submit_time, taken_back, left }: JobRecord,
): boolean =>
  state === "Finished" &&
  !taken_back &&
  !left &&
  Date.parse(end_time ?? submit_time) <= system.now() - SETTLED_MS;

/** What a transaction that removes a job writes beside it: whoever is just packing its block fails, and it is packed anew. */
export async function unpackBlockOf(deps: Deps, id: number): Promise<Operation> {
  const key = jobBlockKey(firstOf(id));
  const block = await deps.table.get<BlockRecord>(key);
  const before = block?.data ?? { format: FORMAT, jobs: 0, open: [] };
  const data: BlockRecord = { ...before, stale: deps.system.now() };
  return { put: { key, data }, when: block ? { version: block.version } : "absent" };
}

/**
 * Of jobs that a list has found: the blocks of those that are not there any more are to be packed anew. An older version, which runs
 * beside this one or after a rollback, removes jobs without saying so.
 */
export async function unpackMissing(deps: Deps, ids: readonly number[]): Promise<void> {
  if (deps.settings.archive || (await findClosed(deps))) return;
  for (const id of ids) {
    if (await findJobItem(deps, id)) continue;
    const block = await deps.table.get<BlockRecord>(jobBlockKey(firstOf(id)));
    if (!isGood(block)) continue;
    try {
      await deps.table.transact([await unpackBlockOf(deps, id)]);
    } catch (error) {
      // Somebody else has just written it.
      if (!(error instanceof TableConflict)) throw error;
    }
  }
}
