import * as v from "valibot";
import { plainRecord } from "./plain-record.ts";
import { workerHealthSchema } from "./states.ts";

/** Histories of devices, workers and jobs, and what changes them by name. */

/** One change: who, when, and by field what was and what is; null: it was not there, or is no more. */
export const changeViewSchema = v.object({
  id: v.string(),
  time: v.string(),
  who: v.string(),
  changed: plainRecord(v.string(), v.tuple([v.nullable(v.string()), v.nullable(v.string())])),
  reason: v.optional(v.string()),
});
export type ChangeView = v.InferOutput<typeof changeViewSchema>;

/** `GET .../history?limit=&cursor=` of a device, a worker, a job; newest first. */
export const historySchema = v.object({
  changes: v.array(changeViewSchema),
  next_cursor: v.optional(v.string()),
});
export type History = v.InferOutput<typeof historySchema>;

const reason = v.optional(
  v.pipe(v.string(), v.maxLength(1000, "expected at most 1000 characters")),
);

/** `POST /api/v1/workers/NAME/health` */
export const workerHealthRequestSchema = v.strictObject({ health: workerHealthSchema, reason });
export type WorkerHealthRequest = v.InferOutput<typeof workerHealthRequestSchema>;

/** `PATCH /api/v1/jobs/ID`: only while it waits. */
export const patchJobSchema = v.strictObject({
  priority: v.union(
    [
      v.picklist(["low", "medium", "high"]),
      v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)),
    ],
    "expected low, medium, high or a whole number from 0 to 100",
  ),
});
export type PatchJob = v.InferOutput<typeof patchJobSchema>;

/** `POST /api/v1/jobs/ID/fail` */
export const failJobSchema = v.strictObject({ reason });
