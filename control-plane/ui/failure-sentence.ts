import type { JobView } from "#protocol/api.ts";
import type { ErrorType } from "#protocol/failure.ts";
import { failedAction, failureLineOf, type Timeline, type TimelineAction } from "./timeline.ts";

export interface Failure {
  /** What failed and, as far as it is known, why. */
  what: string;
  /** Whose fault it is. */
  fault: string;
  /** The action to look at first. */
  action?: TimelineAction;
  /** The line of the log that shows it, 0-based; absent when nothing tells it, and when the log was removed. */
  line?: number;
  /** What was awaited or found, as a regular expression. */
  pattern?: string;
}

/** Who must act, by LAVA's error types (DISPATCHER.md 5.1). */
const FAULTS: Record<ErrorType, string> = {
  Infrastructure: "the lab’s fault: device, worker or network",
  Configuration: "the lab’s fault: the device’s configuration",
  Bug: "Pumice’s own fault",
  Job: "the job’s fault: its definition, or what it boots",
  Test: "the test’s fault",
  Canceled: "nobody’s fault: it was canceled",
  LAVATimeout: "the test’s fault: it took too long",
  FastbootDeviceNotFound: "the board’s or the lab’s fault: it did not appear as a fastboot device",
  MultinodeTimeout: "another job of its group kept it waiting too long",
};

/** What to tell about a job that ended Incomplete; undefined for every other. */
export function failureOf(job: JobView, timeline: Timeline): Failure | undefined {
  if (job.state !== "Finished" || job.health !== "Incomplete") return undefined;
  const action = failedAction(timeline);
  const message = job.error_msg?.trim() || "no reason was given";
  const what =
    action && !message.includes(action.name) ? `${action.name} failed: ${message}` : message;
  const fault =
    job.error_type === undefined ? "whose fault it is is not known" : FAULTS[job.error_type];
  const line = job.log_removed
    ? undefined
    : (job.evidence?.line ?? (action && failureLineOf(action)));
  const pattern = job.evidence?.pattern;
  return {
    what,
    fault,
    ...(action ? { action } : {}),
    ...(line === undefined ? {} : { line }),
    ...(pattern === undefined ? {} : { pattern }),
  };
}
