import { MAX_RECORD_CHARS, type LogLevel, type LogRecord } from "#protocol/log-record.ts";
import type { ActionLog } from "./action.ts";

export interface Recorder extends ActionLog {
  /** Records written so far: the number of the next line. */
  readonly lines: number;
}

export interface RecorderOptions {
  /** Takes one record, a line of JSON without its newline. */
  readonly sink: (line: string, record: LogRecord) => void;
  /** Texts that must not be seen: each is replaced by `[MASKED]`. */
  readonly secrets?: readonly string[];
  /** Microseconds since 1970. */
  readonly nowMicros?: () => number;
}

/** Writes log records in LAVA's form (DISPATCHER.md 7.1): a line of JSON each, keys in LAVA's order. */
export function makeRecorder(options: RecorderOptions): Recorder {
  const { sink, nowMicros = realMicros } = options;
  // Longest first: a secret may be part of another one.
  const secrets = (options.secrets ?? [])
    .filter((secret) => secret !== "")
    .map((secret) => JSON.stringify(secret).slice(1, -1))
    .sort((a, b) => b.length - a.length);
  let lines = 0;

  function write(level: LogLevel, message: LogRecord["msg"], namespace?: string): number {
    const ns = namespace === undefined ? {} : { ns: namespace };
    const record: LogRecord = { dt: timestamp(nowMicros()), lvl: level, msg: message, ...ns };
    let line = JSON.stringify(record);
    if (line.length >= MAX_RECORD_CHARS) {
      const note = `line way too long: ${line.length} characters`;
      const msg = typeof message === "string" ? `<${note}>` : { skip: note };
      line = JSON.stringify({ ...record, msg });
    }
    for (const secret of secrets) line = line.replaceAll(secret, "[MASKED]");
    sink(line, record);
    return lines++;
  }

  return {
    get lines() {
      return lines;
    },
    write,
    debug: (message) => void write("debug", message),
    info: (message) => void write("info", message),
    warning: (message) => void write("warning", message),
    error: (message) => void write("error", message),
    result: (record) => void write("results", record),
  };
}

/** `2026-08-01T10:00:00.123456+00:00` */
function timestamp(micros: number): string {
  const whole = new Date(Math.trunc(micros / 1_000_000) * 1000).toISOString().slice(0, 19);
  return `${whole}.${String(Math.trunc(micros % 1_000_000)).padStart(6, "0")}+00:00`;
}

/** The wall clock with the performance counter's resolution; follows the clock when it is set anew. */
function realMicros(): number {
  const fine = (performance.timeOrigin + performance.now()) * 1000;
  const coarse = Date.now() * 1000;
  return Math.abs(fine - coarse) < 50_000 ? Math.trunc(fine) : coarse;
}
