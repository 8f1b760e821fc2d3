import {
  closeSync,
  fstatSync,
  ftruncateSync,
  fsyncSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import type { ErrorType } from "#protocol/failure.ts";
import { writeFileAtomic } from "../host/atomic-file.ts";
import type { JobDirectory } from "../host/job-directory.ts";
import { lastSegment } from "../host/log-segments.ts";
import type { RunnerResult } from "../host/runner-result.ts";
import { timestamp } from "./log-chunk.ts";

/** The end that a runner couldn't report itself. */
export interface Ending {
  readonly errorType: ErrorType;
  readonly message: string;
}

/**
 * Gives the log of a runner that is gone its end and writes its result: cuts a half-written record off,
 * appends the reason and the job's final result record. A log that has its final record keeps it. May be
 * interrupted and repeated.
 */
export function completeLog(dir: JobDirectory, now: number, ending: Ending): RunnerResult {
  rmSync(dir.reserve, { force: true });
  const segment = lastSegment(dir.log);
  const file = openSync(segment.file, "a+", 0o600);
  try {
    const found = survey(file);
    const { end, last } = found;
    const lines = segment.firstLine + found.lines;
    ftruncateSync(file, end);
    let result = finalResult(last, lines);
    if (!result) {
      const records = endingRecords(now, ending);
      writeSync(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
      const { errorType: error_type, message: error_msg } = ending;
      result = { result: "fail", error_type, error_msg, lines: lines + records.length };
    }
    fsyncSync(file);
    writeFileAtomic(dir.result, JSON.stringify(result));
    return result;
  } finally {
    closeSync(file);
  }
}

/**
 * Cuts a half-written record off, so that more can be appended. True when the log has its final record: then nothing is to
 * follow.
 */
export function cutHalfRecord(dir: JobDirectory): boolean {
  const file = openSync(lastSegment(dir.log).file, "a+", 0o600);
  try {
    const { end, lines, last } = survey(file);
    ftruncateSync(file, end);
    return finalResult(last, lines) !== undefined;
  } finally {
    closeSync(file);
  }
}

function endingRecords(now: number, { errorType, message }: Ending) {
  const dt = timestamp(now);
  const msg = {
    definition: "lava",
    case: "job",
    result: "fail",
    error_msg: message,
    error_type: errorType,
  };
  return [
    { dt, lvl: "exception", msg: message },
    { dt, lvl: "results", msg },
  ];
}

interface Survey {
  /** Behind the last whole line. */
  end: number;
  lines: number;
  /** The last whole line, if it is short enough to be a final record. */
  last: string;
}

const LAST_LINE_BYTES = 128 * 1024;

function survey(file: number): Survey {
  const buffer = Buffer.allocUnsafe(LAST_LINE_BYTES);
  let end = 0;
  let lines = 0;
  let lastBegins = 0;
  for (let at = 0; at < fstatSync(file).size;) {
    const read = buffer.subarray(0, readSync(file, buffer, 0, buffer.length, at));
    if (read.length === 0) break;
    for (let newline = read.indexOf(10); newline !== -1; newline = read.indexOf(10, newline + 1)) {
      lastBegins = end;
      end = at + newline + 1;
      lines++;
    }
    at += read.length;
  }
  const size = end - lastBegins;
  if (size > buffer.length) return { end, lines, last: "" };
  readSync(file, buffer, 0, size, lastBegins);
  return { end, lines, last: buffer.toString("utf8", 0, size) };
}

/** What the runner said before it died between its last record and its result. */
function finalResult(line: string, lines: number): RunnerResult | undefined {
  let record: { lvl?: unknown; msg?: Record<string, unknown> };
  try {
    record = JSON.parse(line) as typeof record;
  } catch {
    return undefined;
  }
  const { lvl, msg } = record;
  if (lvl !== "results" || msg?.definition !== "lava" || msg.case !== "job") return undefined;
  const { error_type, error_msg, evidence, retries, passed_on_retry } =
    msg as Partial<RunnerResult>;
  return {
    result: msg.result === "pass" ? "pass" : "fail",
    ...(error_type === undefined ? {} : { error_type }),
    ...(error_msg === undefined ? {} : { error_msg }),
    ...(evidence === undefined ? {} : { evidence }),
    ...(retries === undefined ? {} : { retries }),
    ...(passed_on_retry === undefined ? {} : { passed_on_retry }),
    lines,
  };
}
