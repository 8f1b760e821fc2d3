import type { LogRecord } from "#protocol/log-record.ts";
import { MAX_CHUNK_EVENTS, MAX_EVENT_CHARS } from "#protocol/worker-api.ts";
import type { Masking } from "#protocol/mask-secrets.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { attemptOf, type JobRecord } from "./job-record.ts";
import { getReportedItem } from "./job-token.ts";
import { resultsKey } from "./keys.ts";
import { chunkBlob } from "./blob-names.ts";
import { commitChunk, type ResultsRecord } from "./log-chunks.ts";
import type { Principal } from "./principal.ts";
import { secretsMask } from "./stock-secrets.ts";

/** What one chunk has at most: the table's and the readers' bounds, with room to spare. */
const MAX_TEXT_CHARS = 2 * 1024 * 1024;
const MAX_RESULT_CHARS = 120_000;
const MAX_RECORDS = 1000;
/** So many lines may be missing before what comes: of a lab that was put back from a backup, say. */
const MAX_GAP = 100_000;

/**
 * Records of a stock worker's log from line `index` on: those that the lab has not yet become chunks of the log, like those of
 * our own workers, so that each record and each result is there once however often it is sent. A job that has ended takes no
 * more; nobody is told, as the sender would send it again for ever. Throws `invalid` for an index far beyond the log's end.
 */
export async function stockLog(
  deps: Deps,
  principal: Principal,
  id: number,
  index: number,
  records: readonly LogRecord[],
): Promise<void> {
  for (;;) {
    const { data: job } = await getReportedItem(deps, principal, id);
    if (job.state === "Finished" && !job.taken_back) return;
    const first = job.log_lines;
    const news = first < index ? gap(deps, first, index) : records.slice(first - index);
    const chunk = firstChunk(news);
    if (chunk.length === 0) return;
    try {
      const mask = await secretsMask(deps, job);
      await addChunk(deps, principal, id, first, chunk.map(maskedBy(mask)));
    } catch (error) {
      // The same request came twice, or the job has just ended: look again.
      const code = error instanceof AppError ? error.code : undefined;
      if (code !== "conflict" && code !== "gone") throw error;
    }
  }
}

/** Records of level `results` in the last chunk that has any. */
export async function lastResults(deps: Deps, job: JobRecord): Promise<ResultsRecord["results"]> {
  const keyOf = (line: number) => resultsKey(job.id, line, attemptOf(job));
  const { partition, sort: to } = keyOf(10 ** 12 - 1);
  const range = { from: keyOf(0).sort, to, reverse: true, limit: 1 };
  const { items } = await deps.table.query<ResultsRecord>("main", partition, range);
  return items[0]?.data.results ?? [];
}

function gap({ system }: Deps, first: number, index: number): LogRecord[] {
  if (index - first > MAX_GAP) {
    throw new AppError("invalid", `Invalid 'index': line ${first} is the next of the log`);
  }
  const dt = new Date(system.now()).toISOString();
  const msg = "Pumice: this line of the log was lost";
  return Array.from({ length: Math.min(index - first, MAX_RECORDS) }, () => ({
    ...{ dt, lvl: "warning", msg },
  }));
}

const maskedBy =
  ({ line, deep }: Masking) =>
  (record: LogRecord): LogRecord => {
    const { lvl, msg, ns = "" } = record;
    const masked = typeof msg === "string" ? line(`${lvl} ${ns}`, msg) : deep(msg);
    return { ...record, msg: masked as LogRecord["msg"] };
  };

/** As many of the records as one chunk may have. */
function firstChunk(records: readonly LogRecord[]): LogRecord[] {
  const chunk: LogRecord[] = [];
  let [text, results] = [0, 0];
  for (const record of records.slice(0, MAX_RECORDS)) {
    const size = JSON.stringify(record).length;
    text += size;
    if (record.lvl === "results") results += size;
    if (chunk.length > 0 && (text > MAX_TEXT_CHARS || results > MAX_RESULT_CHARS)) break;
    chunk.push(record);
  }
  return chunk;
}

async function addChunk(
  deps: Deps,
  principal: Principal,
  id: number,
  first_line: number,
  records: readonly LogRecord[],
): Promise<void> {
  const text = records.map((record) => `${JSON.stringify(record)}\n`).join("");
  const packed = await deps.system.gzip(new TextEncoder().encode(text));
  const sha256 = deps.system.hash(packed);
  await deps.blobs.put(chunkBlob(id, first_line, sha256), packed);
  const results = records.flatMap(({ lvl, dt, msg }, n) =>
    lvl === "results" ? [{ line: first_line + n, dt, msg: msg as Record<string, unknown> }] : [],
  );
  const events = records
    .flatMap(({ lvl, msg }) => (lvl === "event" && typeof msg === "string" ? [msg] : []))
    .slice(0, MAX_CHUNK_EVENTS)
    .map((message) => message.slice(0, MAX_EVENT_CHARS));
  const { length: count } = records;
  const bytes = packed.length;
  await commitChunk(deps, principal, id, { first_line, count, bytes, sha256, results, events });
}
