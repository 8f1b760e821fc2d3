import { existsSync } from "node:fs";
import * as v from "valibot";
import { endingEntries, errorTypeSchema } from "#protocol/failure.ts";
import { readJsonFile } from "./atomic-file.ts";

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

/** Whether the runner has left its result. One that a power cut has emptied or cut is none: the log knows the end. */
export const hasResult = (file: string): boolean => {
  // Asked each second: to fail to read it costs ten times as much.
  if (!existsSync(file)) return false;
  const content = readJsonFile(file);
  return typeof content === "object" && content !== null && "result" in content;
};
