import * as v from "valibot";

/** Log levels of DISPATCHER.md 7.2. `target` is the DUT's output, `input` what was sent to it. */
export const LOG_LEVELS = [
  "debug",
  "info",
  "warning",
  "error",
  "exception",
  "results",
  "target",
  "input",
  "feedback",
  "event",
] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A result record: the `msg` of a record of level `results` (DISPATCHER.md 7.4, TEST-SHELL.md 6).
 * `definition` is the suite, `case` the test case; suite `lava` holds the job's own actions.
 */
export const resultMessageSchema = v.looseObject({
  definition: v.string(),
  case: v.string(),
  result: v.string(),
  level: v.optional(v.string()),
  namespace: v.optional(v.string()),
  /** Seconds, with two decimals, as text. */
  duration: v.optional(v.string()),
  measurement: v.optional(v.union([v.number(), v.string()])),
  units: v.optional(v.string()),
  set: v.optional(v.string()),
  reference: v.optional(v.string()),
  error_msg: v.optional(v.string()),
  error_type: v.optional(v.string()),
  extra: v.optional(v.unknown()),
  /** `2 of 3`: of the attempts of what it ran in (DISPATCHER.md 3). */
  attempt: v.optional(v.unknown()),
  /** True of a failure when another attempt follows: then all results from the line `attempt_start` on are of a failed one. */
  retried: v.optional(v.unknown()),
  attempt_start: v.optional(v.unknown()),
  /** 0-based line of the log where the case began and ended. */
  starttc: v.optional(v.number()),
  endtc: v.optional(v.number()),
});
export type ResultMessage = v.InferOutput<typeof resultMessageSchema>;

/**
 * One line of a job's log. On disk and on the wire each is one line of JSON, which is also one
 * YAML flow mapping, with the keys in LAVA's order (DISPATCHER.md 7.1).
 */
export interface LogRecord {
  /** ISO 8601, UTC, microseconds, `+00:00`. */
  dt: string;
  lvl: LogLevel;
  msg: string | Record<string, unknown> | unknown[];
  /** Only for `feedback`. */
  ns?: string;
}

/** A record longer than this many characters is replaced by a note that says so (DISPATCHER.md 7.1). */
export const MAX_RECORD_CHARS = 100_000;
