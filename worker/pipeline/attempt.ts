import type { PassedOnRetry } from "#protocol/failure.ts";
import type { ActionLog } from "./action.ts";
import type { JobFailure } from "./job-failure.ts";
import type { PlannedAction } from "./plan.ts";

/** One of several attempts of a retry wrapper, for what runs in it. */
export interface Attempt {
  /** `2 of 3`; inside of another wrapper's attempt that one first: `1 of 2, 2 of 3`. */
  readonly label: string;
  /** Whose attempt it is. */
  readonly wrapper: PlannedAction;
  /** The attempt that is made again after such a failure: this one, or one around it. */
  retriedBy(failure: JobFailure): Attempt | undefined;
  /** The first line of it in the log. */
  readonly startLine: number;
}

/** What a job's failed attempts come to. */
export interface Tries {
  /** Failed attempts that another one followed. */
  retries: number;
  readonly passed: PassedOnRetry[];
}

/** More wrappers than any job has. */
const MAX_PASSED = 20;

export const startTries = (): Tries => ({ retries: 0, passed: [] });

/** Notes that a wrapper passed on another attempt than its first. */
export function notePassed(tries: Tries, passed: PassedOnRetry): void {
  if (tries.passed.length < MAX_PASSED) tries.passed.push(passed);
}

/** The log of what runs in an attempt: each result says which one it is of. */
export function logOf(log: ActionLog, attempt: Attempt | undefined): ActionLog {
  if (!attempt) return log;
  return { ...log, result: (record) => log.result({ ...record, attempt: attempt.label }) };
}

/**
 * What the record of a failure says beside, when another attempt follows: then all results from the line
 * `attempt_start` up to this record are those of a failed attempt.
 */
export function retriedMarks(
  attempt: Attempt | undefined,
  failure: JobFailure,
): Record<string, unknown> {
  const again = attempt?.retriedBy(failure);
  return again ? { retried: true, attempt_start: again.startLine } : {};
}
