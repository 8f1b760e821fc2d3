import type { RetentionRule } from "#protocol/lab-settings.ts";
import type { JobRecord } from "../job-record.ts";

const DAY_MS = 24 * 3600 * 1000;

/** What is to be removed of a job, by the rule of this number (from 1). */
export interface Removal {
  readonly remove: "job" | "log";
  readonly rule: number;
}

/**
 * What the rules say of a job, `isKept` whether somebody keeps it: a rule for the whole job goes before one for its log, else the
 * first one that fits. Undefined when it stays as it is: also while it has not ended, or its worker may still tell another end.
 */
export function removalOf(
  job: JobRecord,
  rules: readonly RetentionRule[],
  { now, isKept }: { now: number; isKept: boolean },
): Removal | undefined {
  if (job.state !== "Finished" || job.taken_back || job.end_time === undefined) return undefined;
  const age = now - Date.parse(job.end_time);
  const fits = (rule: RetentionRule): boolean =>
    age > rule.older_than_days * DAY_MS &&
    (rule.submitter ?? job.submitter) === job.submitter &&
    (rule.health ?? job.health) === job.health &&
    (rule.device_type ?? job.device_type) === job.device_type &&
    !(rule.spare_kept && isKept) &&
    !(rule.remove === "log" && job.log_removed === true);
  const whole = rules.findIndex((rule) => rule.remove === "job" && fits(rule));
  if (whole >= 0) return { remove: "job", rule: whole + 1 };
  const log = rules.findIndex(fits);
  return log < 0 ? undefined : { remove: "log", rule: log + 1 };
}

/** Whether no rule can be for a job: it was submitted too short a time ago, and so were all after it. */
export function isTooYoung(
  { submit_time }: Pick<JobRecord, "submit_time">,
  rules: readonly RetentionRule[],
  now: number,
): boolean {
  const days = Math.min(...rules.map(({ older_than_days }) => older_than_days));
  return now - Date.parse(submit_time) <= days * DAY_MS;
}
