import type { LogChunkList, LogPage } from "#protocol/api.ts";
import { MAX_CHUNK_TEXT_BYTES, readLogLine } from "#protocol/log-chunk.ts";
import type { Deps } from "./deps.ts";
import { attemptOf, getAttempt, type JobRecord } from "./job-record.ts";
import { chunkKey, watchKey } from "./keys.ts";
import { chunkBlob } from "./blob-names.ts";
import type { ChunkRecord } from "./log-chunks.ts";
import type { Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { getVisibleJob } from "./visible.ts";

type Records = LogPage["records"];

/** Most records, and about the most characters, of one page. */
const MAX_PAGE_RECORDS = 5000;
const MAX_PAGE_CHARS = 2 * 1024 * 1024;
/** Most chunks, and about the most compressed bytes, that one page reads or one list names. */
const MAX_CHUNKS = 64;
const MAX_CHUNKS_BYTES = 8 * 1024 * 1024;
/** Fetched at a time: a watched job has many small ones, and each is a round trip. */
const CHUNKS_AT_A_TIME = 4;
/** How long whoever got a list may fetch its chunks. */
const GET_SECONDS = 15 * 60;
const WATCH_MS = 15_000;
/** Pause of those who follow a log and whose questions are not held back. */
const POLL_SECONDS = 1;

export interface LogRange {
  /** First line, 0 when not given. */
  start?: number | undefined;
  /** Line after the last; the end of the log when not given. */
  end?: number | undefined;
  /** Of the job's log; that of the last one when not given. */
  attempt?: number | undefined;
}

/** A page of a job's log, and a mark that somebody watches it. Throws `not_found`. */
export async function readLog(
  deps: Deps,
  principal: Principal,
  id: number,
  { start = 0, end, attempt }: LogRange = {},
): Promise<LogPage> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  await markWatched(deps, job, WATCH_MS);
  const records = await readRecords(deps, job, start, Math.min(end ?? Infinity, job.log_lines));
  return { ...whereItEnds(deps, job, start, start + records.length), records };
}

/**
 * Where to fetch the chunks that hold a range of a job's log, the first ones of it, and a mark that somebody watches
 * it: whoever reads them so costs us nothing more. Throws `not_found`.
 */
export async function listLogChunks(
  deps: Deps,
  principal: Principal,
  id: number,
  { start = 0, end, attempt }: LogRange = {},
): Promise<LogChunkList> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  await markWatched(deps, job, WATCH_MS);
  const found = await chunksOf(deps, job, start, Math.min(end ?? Infinity, job.log_lines));
  const chunks = found.map(async ({ first_line, count, bytes, sha256 }) => {
    const signed = await deps.blobs.signGet(chunkBlob(id, first_line, sha256), GET_SECONDS);
    return { first_line, count, bytes, ...signed, method: "GET" as const };
  });
  const last = found.at(-1);
  const next = last ? last.first_line + last.count : start;
  return { ...whereItEnds(deps, job, start, next), chunks: await Promise.all(chunks) };
}

function whereItEnds({ settings }: Deps, job: JobRecord, start: number, next: number) {
  const isRead = next >= job.log_lines || job.log_removed === true;
  const complete = job.state === "Finished" && isRead;
  // Lines that should be there and are not must not make anybody ask without end.
  const isToPause = isRead ? settings.logHoldSeconds === 0 : next === start;
  const poll_seconds = isToPause && !complete ? POLL_SECONDS : 0;
  return { start, next, complete, poll_seconds, attempt: attemptOf(job) };
}

/**
 * Waits until the job's log has the range's first line, or the job is Finished, or the time is over, or `signal` is
 * aborted. Throws `not_found`.
 */
export async function waitForLog(
  deps: Deps,
  principal: Principal,
  id: number,
  { start: line = 0, attempt }: LogRange,
  waitMs: number,
  signal?: AbortSignal,
): Promise<void> {
  await getVisibleJob(deps, principal, id);
  const deadline = deps.system.now() + waitMs;
  const listener = deps.signals.listen(`job/${id}`);
  try {
    for (;;) {
      const job = await getAttempt(deps, id, attempt);
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
  const chunks = await chunksOf(deps, job, start, Math.min(end, start + MAX_PAGE_RECORDS));
  for (let at = 0; at < chunks.length; at += CHUNKS_AT_A_TIME) {
    const some = chunks.slice(at, at + CHUNKS_AT_A_TIME);
    const texts = await Promise.all(some.map((chunk) => readChunk(deps, job.id, chunk)));
    for (const [n, { first_line, count }] of some.entries()) {
      const from = Math.max(0, start - first_line);
      for (let line = from; line < Math.min(count, end - first_line); line++) {
        const text = texts[n]?.[line];
        chars += text?.length ?? 0;
        const isFull = records.length === MAX_PAGE_RECORDS || chars > MAX_PAGE_CHARS;
        if (records.length > 0 && isFull) return records;
        records.push(readLogLine(text, job.start_time ?? job.submit_time));
      }
    }
  }
  return records;
}

/** The chunks that hold lines from `start` up to `end`, the first of them. */
async function chunksOf(
  deps: Deps,
  job: JobRecord,
  start: number,
  end: number,
): Promise<ChunkRecord[]> {
  const chunks: ChunkRecord[] = [];
  if (start >= end) return chunks;
  let bytes = 0;
  for await (const chunk of chunksFrom(deps, job, start)) {
    bytes += chunk.bytes;
    const isFull = chunks.length === MAX_CHUNKS || (chunks.length > 0 && bytes > MAX_CHUNKS_BYTES);
    if (chunk.first_line >= end || isFull) break;
    chunks.push(chunk);
  }
  return chunks;
}

/** The chunk that has the line, and those after it. */
async function* chunksFrom(deps: Deps, job: JobRecord, line: number): AsyncGenerator<ChunkRecord> {
  const { partition, sort } = chunkKey(job.id, line, attemptOf(job));
  const to = chunkKey(job.id, 10 ** 12 - 1, attemptOf(job)).sort;
  const range = { from: sort, to, limit: 50 };
  let isFirst = true;
  for await (const { data } of queryAll<ChunkRecord>(deps, "main", partition, range)) {
    // Whoever follows a log asks for the line that a chunk begins with.
    if (isFirst && data.first_line !== line) yield* chunkBefore(deps, job, line);
    isFirst = false;
    yield data;
  }
  if (isFirst) yield* chunkBefore(deps, job, line);
}

/** The last chunk that begins before the line. */
async function* chunkBefore(deps: Deps, job: JobRecord, line: number): AsyncGenerator<ChunkRecord> {
  if (line === 0) return;
  const { partition, sort } = chunkKey(job.id, line - 1, attemptOf(job));
  const from = chunkKey(job.id, 0, attemptOf(job)).sort;
  const range = { from, to: sort, reverse: true, limit: 1 };
  const { items } = await deps.table.query<ChunkRecord>("main", partition, range);
  for (const { data } of items) yield data;
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
