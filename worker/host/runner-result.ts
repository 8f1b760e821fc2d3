import * as v from "valibot";
import { endingEntries, errorTypeSchema } from "#protocol/failure.ts";

/** How a runner ended: the content of `result.json`. */
export const runnerResultSchema = v.object({
  result: v.picklist(["pass", "fail"]),
  error_type: v.optional(errorTypeSchema),
  error_msg: v.optional(v.string()),
  ...endingEntries,
  /** Number of records in the log, the final `job` result included. */
  lines: v.number(),
});
export type RunnerResult = v.InferOutput<typeof runnerResultSchema>;
