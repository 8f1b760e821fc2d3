import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { LogRecord } from "#protocol/log-record.ts";
import {
  MAX_CHUNK_EVENTS,
  MAX_CHUNK_RECORDS,
  MAX_CHUNK_RESULT_BYTES,
  MAX_EVENT_CHARS,
  type LogCommitRequest,
} from "#protocol/worker-api.ts";
import { readLines, type LogLines } from "./log-file.ts";

const compress = promisify(gzip);
/** Of a log a few hundredths larger than by the default 6, for a third of the time. */
const COMPRESSION = 2;
const NEWLINE = 0x0a;

/** Text of one chunk at most, a single longer line excepted: what is held in memory of one job at a time. Some 10,000 lines, as many as a chunk may have. */
export const MAX_TEXT_BYTES = 1536 * 1024;

/** Where in the log the next chunk begins: line as the control plane counts, offset in the file. */
export interface LogPosition {
  readonly line: number;
  readonly offset: number;
}

/** A chunk ready to go. */
export interface LogChunk {
  readonly commit: LogCommitRequest;
  readonly body: Buffer;
  readonly next: LogPosition;
}

/** The next chunk of whole lines, at most `maxRecords`; undefined when there is no whole line yet. */
export async function readChunk(
  file: FileHandle,
  from: LogPosition,
  maxRecords = MAX_CHUNK_RECORDS,
): Promise<LogChunk | undefined> {
  const lines = await readLines(file, from.offset, maxRecords, MAX_TEXT_BYTES);
  if (!lines) return undefined;
  const { text, count, results } = takeWhileResultsFit(lines, from.line);
  return pack(text, count, results, from);
}

/** Stands in for a single record that the control plane refused, so that the rest of the log can follow. */
export function replacement(refused: LogChunk, now: number, reason: string): Promise<LogChunk> {
  const msg = `Pumice: the control plane refused this record: ${reason.slice(0, 1000)}`;
  const record: LogRecord = { dt: timestamp(now), lvl: "error", msg };
  const from = { line: refused.commit.first_line, offset: refused.next.offset };
  return pack(Buffer.from(`${JSON.stringify(record)}\n`), 1, [], from, refused.next.offset);
}

/** Stand in for lines that were delivered once and are on no disk any more: the control plane is one of a backup. */
export function fillers(from: LogPosition, count: number, now: number): Promise<LogChunk> {
  const msg = "Pumice: this record was delivered before, and the worker has it no more";
  const line = `${JSON.stringify({ dt: timestamp(now), lvl: "warning", msg } satisfies LogRecord)}\n`;
  return pack(Buffer.from(line.repeat(count)), count, [], from, from.offset);
}

/** As `dt` of a log record. */
export const timestamp = (now: number): string =>
  new Date(now).toISOString().replace("Z", "000+00:00");

async function pack(
  text: Buffer,
  count: number,
  results: LogCommitRequest["results"],
  from: LogPosition,
  end = from.offset + text.length,
): Promise<LogChunk> {
  const body = await compress(text, { level: COMPRESSION });
  const sha256 = createHash("sha256").update(body).digest("hex");
  const events = eventsIn(text);
  const commit = {
    ...{ first_line: from.line, count, bytes: body.length, sha256, results },
    ...(events.length > 0 ? { events } : {}),
  };
  return { commit, body, next: { line: from.line + count, offset: end } };
}

/** The lines up to the one whose result would be too many for one chunk; the first line in any case. */
function takeWhileResultsFit({ bytes, count }: LogLines, firstLine: number) {
  const results: LogCommitRequest["results"] = [];
  // The brackets of the list; each entry brings its comma.
  let size = 2;
  for (const { n, begin, end } of candidates(bytes, '"results"')) {
    const result = readResult(bytes.toString("utf8", begin, end), firstLine + n);
    if (!result) continue;
    size += sizeOf(result) + 1;
    if (size <= MAX_CHUNK_RESULT_BYTES) {
      results.push(result);
    } else if (n > 0) {
      return { text: bytes.subarray(0, begin), count: n, results };
    } else {
      return { text: bytes.subarray(0, end), count: 1, results: [shortened(result)] };
    }
  }
  return { text: bytes, count, results };
}

/** What the DUT has said by `lava-test-event`. */
function eventsIn(text: Buffer): string[] {
  const events: string[] = [];
  for (const { begin, end } of candidates(text, '"event"')) {
    const { lvl, msg } = readRecord(text.toString("utf8", begin, end)) ?? {};
    if (lvl === "event" && typeof msg === "string") events.push(msg.slice(0, MAX_EVENT_CHARS));
    if (events.length === MAX_CHUNK_EVENTS) break;
  }
  return events;
}

/** Lines that may hold such a record: nearly all lines don't, and never become strings. */
function* candidates(
  bytes: Buffer,
  level: string,
): Generator<{ n: number; begin: number; end: number }> {
  let n = 0;
  let begin = 0;
  for (let hit = bytes.indexOf(level); hit !== -1; hit = bytes.indexOf(level, begin)) {
    for (
      let next = bytes.indexOf(NEWLINE, begin);
      next < hit;
      next = bytes.indexOf(NEWLINE, begin)
    ) {
      begin = next + 1;
      n++;
    }
    const end = bytes.indexOf(NEWLINE, hit) + 1;
    yield { n, begin, end };
    begin = end;
    n++;
  }
}

type Result = LogCommitRequest["results"][number];

const sizeOf = (result: Result): number => Buffer.byteLength(JSON.stringify(result));

/** The log keeps the whole record. */
function shortened({ line, dt, msg }: Result): Result {
  const { definition, case: name, result } = msg;
  const error_msg = "this result is too long to be recorded whole, the log has it";
  return { line, dt, msg: { definition, case: name, result, error_msg } };
}

function readResult(line: string, at: number): Result | undefined {
  const { dt, lvl, msg } = readRecord(line) ?? {};
  const isRecord = typeof msg === "object" && !Array.isArray(msg) && msg !== null;
  return lvl === "results" && isRecord ? { line: at, dt: String(dt), msg } : undefined;
}

function readRecord(line: string): Partial<LogRecord> | undefined {
  try {
    return (JSON.parse(line) as Partial<LogRecord> | null) ?? undefined;
  } catch {
    return undefined;
  }
}
