import * as v from "valibot";

/**
 * Who must act when a job fails: the words of `error_type` in LAVA's final record
 * (DISPATCHER.md 5.1), which clients filter on.
 */
export const ERROR_TYPES = [
  "Infrastructure",
  "Configuration",
  "Bug",
  "Job",
  "Test",
  "Canceled",
  "LAVATimeout",
  "MultinodeTimeout",
  "FastbootDeviceNotFound",
] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];
export const errorTypeSchema = v.picklist(ERROR_TYPES);

/** Types that say the lab, not the job, is at fault: the device's health becomes Unknown (SCHEDULER.md 1.2). */
export const isLabFault = (type: ErrorType | undefined): boolean =>
  type === "Infrastructure" || type === "Configuration" || type === "Bug";

/** What a failure was told by: the regular expressions that were awaited or matched, and the line of the log (from 0) that shows it. */
export const evidenceSchema = v.object({
  pattern: v.optional(v.pipe(v.string(), v.maxLength(1000))),
  line: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
});
export type Evidence = v.InferOutput<typeof evidenceSchema>;

/** A part of a job that passed, but not at its first attempt (DISPATCHER.md 3). */
export const passedOnRetrySchema = v.object({
  action: v.pipe(v.string(), v.maxLength(200)),
  level: v.pipe(v.string(), v.maxLength(100)),
  /** The attempt that passed, from 1. */
  attempt: v.number(),
  of: v.number(),
});
export type PassedOnRetry = v.InferOutput<typeof passedOnRetrySchema>;

/** How a job ended, beside LAVA's words: in its last record, in what the worker reports, in what the API tells. */
export const endingEntries = {
  evidence: v.optional(evidenceSchema),
  /** Failed attempts of parts of the job that another attempt followed; absent when there were none. */
  retries: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  passed_on_retry: v.optional(v.pipe(v.array(passedOnRetrySchema), v.maxLength(20))),
};
