import { chunkBlob } from "../blob-names.ts";
import type { JobRecord } from "../job-record.ts";
import { chunkKey, resultsKey } from "../keys.ts";
import type { ChunkRecord, ResultsRecord } from "../log-chunks.ts";
import { queryAll } from "../query-all.ts";
import type { Looking } from "./check-page.ts";

const LAST = 999_999_999_999;
/** Blobs that are asked for at a time: a job of a day has thousands, and the cloud gives a page 29 s. */
const ABREAST = 16;

/** An attempt's chunks lie end to end up to the job's last line, their blobs are there, and each result is in its chunk, once. */
export async function checkLog(looking: Looking, job: JobRecord, attempt: number): Promise<void> {
  const { id, log_lines: lines, log_removed } = job;
  const { say } = looking;
  const what = attempt === 1 ? `job ${id}` : `job ${id}, attempt ${attempt}`;
  if (log_removed) return;
  const ends = new Map<number, number>();
  const asked: ChunkRecord[] = [];
  const askForBlobs = () =>
    Promise.all(asked.splice(0).map((chunk) => checkBlob(looking, { id, what, chunk })));
  let next = 0;
  for await (const { data: chunk } of parts<ChunkRecord>(looking, chunkKey, id, attempt)) {
    const { first_line: first, count } = chunk;
    if (first > next) say("log", what, `lines ${next} to ${first - 1} are missing`);
    if (first < next) say("log", what, `line ${first} is there twice`);
    ends.set(first, first + count);
    next = first + count;
    if (asked.push(chunk) === ABREAST) await askForBlobs();
  }
  await askForBlobs();
  if (next !== lines) say("log", what, `it has ${lines} lines, its chunks end at ${next}`);
  for await (const { key, data } of parts<ResultsRecord>(looking, resultsKey, id, attempt)) {
    const first = Number(key.sort.split("#")[1]);
    const end = ends.get(first);
    if (end === undefined) {
      say("results", what, `results from line ${first} have no chunk of the log`);
      continue;
    }
    const seen = new Set<number>();
    for (const { line } of data.results) {
      if (line < first || line >= end) say("results", what, `line ${line} is not of its chunk`);
      if (seen.has(line)) say("results", what, `the result of line ${line} is there twice`);
      seen.add(line);
    }
  }
}

async function checkBlob(
  { deps, say }: Looking,
  { id, what, chunk }: { id: number; what: string; chunk: ChunkRecord },
): Promise<void> {
  const { first_line: first, bytes, sha256 } = chunk;
  const size = await deps.blobs.sizeBytes(chunkBlob(id, first, sha256));
  if (size === bytes) return;
  const found = size === undefined ? "not there" : `${size} bytes`;
  say("lost-blob", what, `its chunk from line ${first} is ${found}, not ${bytes} bytes`);
}

const parts = <T>(
  { deps }: Looking,
  keyOf: typeof chunkKey,
  id: number,
  attempt: number,
): ReturnType<typeof queryAll<T>> =>
  queryAll<T>(deps, "main", keyOf(id, 0, attempt).partition, {
    from: keyOf(id, 0, attempt).sort,
    to: keyOf(id, LAST, attempt).sort,
  });
