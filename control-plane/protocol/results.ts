import * as v from "valibot";
import { resultViewSchema } from "./api.ts";
import { plainRecord } from "./plain-record.ts";

/** What a job's tests found: `/api/v1/jobs/ID/suites`, `/metadata`, `/results.FORMAT`. */

/** Counts leave out what attempts found that failed and that another one followed. */
export const countsSchema = v.object({
  pass: v.number(),
  fail: v.number(),
  skip: v.number(),
  unknown: v.number(),
});
export type Counts = v.InferOutput<typeof countsSchema>;

export const suiteViewSchema = v.object({
  /** `lava` has the job's own actions. */
  name: v.string(),
  /** Names of its test sets, a hundred at most. */
  sets: v.optional(v.array(v.string())),
  ...countsSchema.entries,
  /** Lines of the log where the records of its first and last case stand. */
  first_line: v.number(),
  last_line: v.number(),
});
export type SuiteView = v.InferOutput<typeof suiteViewSchema>;

/** `GET /api/v1/jobs/ID/suites`: in the order in which they began; of a job that runs, so far. */
export const suiteListSchema = v.object({ suites: v.array(suiteViewSchema) });
export type SuiteList = v.InferOutput<typeof suiteListSchema>;

/** `GET /api/v1/jobs/ID/suites/NAME/cases`: in the order of the log, page by page. */
export const caseListSchema = v.object({
  cases: v.array(resultViewSchema),
  next_cursor: v.optional(v.string()),
});
export type CaseList = v.InferOutput<typeof caseListSchema>;

/** `GET /api/v1/jobs/ID/metadata`: attributes of the definition, as text. */
export const jobMetadataSchema = v.object({ metadata: plainRecord(v.string(), v.string()) });
export type JobMetadata = v.InferOutput<typeof jobMetadataSchema>;

/** How results are exported, and what each is called: SCHEDULER.md 9. */
export const EXPORT_FORMATS = ["yaml", "csv", "junit", "tap", "json"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
