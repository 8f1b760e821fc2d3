import type { LogPage } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { getJobItem, type JobRecord } from "./job-record.ts";
import { chunkBlob, chunkKey, padded, watchKey } from "./keys.ts";
import type { ChunkRecord } from "./log-chunks.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";

type Records = LogPage["records"];

/** Most records, and about the most characters, of one page. */
const MAX_PAGE_RECORDS = 5000;
const MAX_PAGE_CHARS = 2 * 1024 * 1024;
/** A chunk that grows beyond this is not ours. */
const MAX_CHUNK_TEXT_BYTES = 64 * 1024 * 1024;
const WATCH_MS = 15_000;

export interface LogRange {
  /** First line, 0 when not given. */
  start?: number | undefined;
  /** Line after the last; the end of the log when not given. */
  end?: number | undefined;
}

/** A page of a job's log, and a mark that somebody watches it. Throws `not_found`. */
export async function readLog(
  deps: Deps,
  principal: Principal,
  id: number,
  { start = 0, end }: LogRange = {},
): Promise<LogPage> {
  requireUser(principal);
  const { data: job } = await getJobItem(deps, id);
  await markWatched(deps, job, WATCH_MS);
  const records = await readRecords(deps, job, start, Math.min(end ?? Infinity, job.log_lines));
  const next = start + records.length;
  return { start, next, complete: job.state === "Finished" && next >= job.log_lines, records };
}

/**
 * Waits until the job's log has the line, or the job is Finished, or the time is over, or `signal` is
 * aborted. Throws `not_found`.
 */
export async function waitForLog(
  deps: Deps,
  principal: Principal,
  id: number,
  line: number,
  waitMs: number,
  signal?: AbortSignal,
): Promise<void> {
  requireUser(principal);
  const deadline = deps.system.now() + waitMs;
  const listener = deps.signals.listen(`job/${id}`);
  try {
    for (;;) {
      const { data: job } = await getJobItem(deps, id);
      if (job.log_lines > line || job.state === "Finished") return;
      const left = deadline - deps.system.now();
      if (left <= 0) return;
      await markWatched(deps, job, left + WATCH_MS);
      if (!(await listener.rung(left, signal))) return;
    }
  } finally {
    listener.close();
  }
}

/** Whether somebody read the job's log a moment ago. */
export async function isWatched(deps: Deps, id: number): Promise<boolean> {
  return (await deps.table.get(watchKey(id))) !== undefined;
}

/** Written seldom, however many people watch; the worker is told when the first of them comes. */
async function markWatched(deps: Deps, job: JobRecord, forMs: number): Promise<void> {
  if (job.state !== "Scheduled" && job.state !== "Running") return;
  const now = deps.system.now();
  const watch = await deps.table.get<{ until: number }>(watchKey(job.id));
  if (watch && watch.data.until >= now + forMs - 10_000) return;
  const until = now + forMs;
  await deps.table.transact([{ put: { key: watchKey(job.id), data: { until }, expires: until } }]);
  if (!watch) await deps.signals.ring(`worker/${job.worker ?? ""}`);
}

async function readRecords(
  deps: Deps,
  job: JobRecord,
  start: number,
  end: number,
): Promise<Records> {
  const records: Records = [];
  let chars = 0;
  for await (const chunk of chunksFrom(deps, job.id, start)) {
    if (chunk.first_line >= end) break;
    const lines = await readChunk(deps, job.id, chunk);
    const from = Math.max(0, start - chunk.first_line);
    for (let n = from; n < Math.min(chunk.count, end - chunk.first_line); n++) {
      const line = lines?.[n] ?? "";
      chars += line.length;
      if (records.length === MAX_PAGE_RECORDS || (records.length > 0 && chars > MAX_PAGE_CHARS)) {
        return records;
      }
      records.push(parseRecord(line) ?? damaged(job));
    }
  }
  return records;
}

/** The chunk that has the line, and those after it. */
async function* chunksFrom(deps: Deps, id: number, line: number): AsyncGenerator<ChunkRecord> {
  const { partition, sort } = chunkKey(id, line);
  const first = await deps.table.query<ChunkRecord>("main", partition, {
    from: chunkKey(id, 0).sort,
    to: sort,
    reverse: true,
    limit: 1,
  });
  const from = first.items[0]?.key.sort ?? chunkKey(id, 0).sort;
  const range = { from, to: `chunk#${padded(10 ** 12 - 1)}`, limit: 50 };
  for await (const { data } of queryAll<ChunkRecord>(deps, "main", partition, range)) yield data;
}

/** The chunk's lines, or undefined when they are gone or not what was promised. */
async function readChunk(
  deps: Deps,
  id: number,
  { first_line, sha256 }: ChunkRecord,
): Promise<string[] | undefined> {
  const key = chunkBlob(id, first_line, sha256);
  try {
    const packed = await deps.blobs.get(key);
    if (!packed) throw new Error("the blob is missing");
    const bytes = await deps.system.gunzip(packed, MAX_CHUNK_TEXT_BYTES);
    return new TextDecoder().decode(bytes).split("\n");
  } catch (error) {
    deps.system.log("a log chunk cannot be read", { key, error: String(error) });
    return undefined;
  }
}

function parseRecord(line: string): Records[number] | undefined {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record === "object" && record !== null && !Array.isArray(record)) {
      return record as Records[number];
    }
  } catch {
    // Said by the caller.
  }
  return undefined;
}

/** Stands where a record should be, so that line numbers stay right. */
const damaged = (job: JobRecord): Records[number] => ({
  dt: job.start_time ?? job.submit_time,
  lvl: "error",
  msg: "Pumice: this line of the log is damaged and cannot be shown",
});
