import { MAX_RECORD_CHARS, type LogLevel, type LogRecord } from "#protocol/log-record.ts";
import { wallClock } from "../host/server-time.ts";
import type { ActionLog } from "./action.ts";
import { makeMasking } from "#protocol/mask-secrets.ts";

export interface Recorder extends ActionLog {
  /** Records written so far: the number of the next line. */
  readonly lines: number;
  /** The text as the log would have it: without secrets. */
  masked(text: string): string;
  /** Nothing is written any more: what an abandoned action still says must not follow the job's end. */
  close(): void;
}

export interface RecorderOptions {
  /** Takes one record, a line of JSON without its newline. May say which number it has in the log, when not the next. */
  readonly sink: (line: string, record: LogRecord) => number | void;
  /** Texts that must not be seen: each is replaced by `[MASKED]`, in whatever form it comes. Too short ones are seen. */
  readonly secrets?: readonly string[];
  /** Microseconds since 1970. */
  readonly nowMicros?: () => number;
}

/** Writes log records in LAVA's form (DISPATCHER.md 7.1): a line of JSON each, keys in LAVA's order. */
export function makeRecorder(options: RecorderOptions): Recorder {
  const { sink, nowMicros = wallMicros() } = options;
  const mask = makeMasking(options.secrets ?? []);
  const timestamp = timestamps();
  const streamOf = streams();
  let lines = 0;
  let isClosed = false;

  function write(level: LogLevel, message: LogRecord["msg"], namespace?: string): number {
    if (typeof message === "string") return writeLines(level, [message], namespace)[0] ?? lines;
    if (isClosed) return lines;
    const stream = streamOf(level, namespace);
    return put(stream, timestamp(nowMicros()), mask.deep(message) as LogRecord["msg"]);
  }

  function writeLines(level: LogLevel, texts: readonly string[], namespace?: string): number[] {
    if (isClosed) return texts.map(() => lines);
    const stream = streamOf(level, namespace);
    const dt = timestamp(nowMicros());
    return mask.lines(stream.name, texts).map((text) => put(stream, dt, text));
  }

  function put(stream: Stream, dt: string, msg: LogRecord["msg"]): number {
    const { level: lvl, namespace: ns, before, behind } = stream;
    let record: LogRecord = ns === undefined ? { dt, lvl, msg } : { dt, lvl, msg, ns };
    // As JSON has the record; a console's lines come by the hundred thousand.
    let line = `{"dt":"${dt}"${before}${JSON.stringify(msg)}${behind}`;
    if (line.length >= MAX_RECORD_CHARS) {
      record = { ...record, msg: shortened(record, line.length) };
      line = JSON.stringify(record);
    }
    const number = sink(line, record) ?? lines;
    lines = number + 1;
    return number;
  }

  return {
    get lines() {
      return lines;
    },
    write,
    writeLines,
    debug: (message) => void write("debug", message),
    info: (message) => void write("info", message),
    warning: (message) => void write("warning", message),
    error: (message) => void write("error", message),
    result: (record) => void write("results", record),
    masked: mask.text,
    close: () => void (isClosed = true),
  };
}

/** What the records of one level and namespace have in common. */
interface Stream {
  readonly level: LogLevel;
  readonly namespace: string | undefined;
  readonly name: string;
  /** Of each record in JSON, what stands around its message. */
  readonly before: string;
  readonly behind: string;
}

/** They mostly come one after the other. */
function streams() {
  let last: Stream | undefined;
  return (level: LogLevel, namespace: string | undefined): Stream => {
    if (last?.level === level && last.namespace === namespace) return last;
    const behind = namespace === undefined ? "}" : `,"ns":${JSON.stringify(namespace)}}`;
    const name = `${level} ${namespace ?? ""}`;
    return (last = { level, namespace, name, before: `,"lvl":"${level}","msg":`, behind });
  };
}

/** A result stays one; anything else becomes a note in its own shape. */
function shortened({ lvl, msg }: LogRecord, chars: number): LogRecord["msg"] {
  const note = `line way too long: ${chars} characters`;
  if (typeof msg === "string" || Array.isArray(msg)) return `<${note}>`;
  if (lvl !== "results") return { skip: note };
  const { definition, case: name, result, level, error_type } = msg;
  const { attempt, retried, attempt_start } = msg;
  const marks = { attempt, retried, attempt_start };
  return { definition, case: name, result, level, error_type, ...marks, skip: note };
}

/** `2026-08-01T10:00:00.123456+00:00`; a second, and a moment, is put into words once: a DUT's lines come by the ten thousand in it. */
function timestamps(): (micros: number) => string {
  let second = NaN;
  let words = "";
  let moment = NaN;
  let stamp = "";
  return (micros) => {
    if (micros === moment) return stamp;
    const now = Math.trunc(micros / 1_000_000);
    if (now !== second) {
      second = now;
      words = new Date(now * 1000).toISOString().slice(0, 19);
    }
    moment = micros;
    stamp = `${words}.${String(Math.trunc(micros % 1_000_000)).padStart(6, "0")}+00:00`;
    return stamp;
  };
}

/** What is recorded within so many milliseconds came together. */
const MOMENT_MS = 0.05;

/** The wall clock with the performance counter's resolution; follows the clock when it is set anew, but not to where it is far off. */
function wallMicros(): () => number {
  const wall = wallClock();
  let since = -Infinity;
  let micros = 0;
  return () => {
    const now = performance.now();
    if (now - since < MOMENT_MS) return micros;
    since = now;
    const fine = (performance.timeOrigin + now) * 1000;
    const coarse = wall() * 1000;
    micros = Math.trunc(Math.abs(fine - coarse) < 50_000 ? fine : coarse);
    return micros;
  };
}
