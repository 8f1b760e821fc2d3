import * as v from "valibot";

/** What is kept, for how long: `/api/v1/retention/run`, `/api/v1/jobs/ID/keep`. Its rules are settings of the lab. */

/** `POST /api/v1/retention/run`: one step; the next one goes on after `next`. */
export const runRetentionSchema = v.strictObject({
  /** Only says what would be removed. */
  dry_run: v.optional(v.boolean("expected true or false"), true),
  after: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
});
export type RunRetention = v.InferOutput<typeof runRetentionSchema>;

export const retentionStepSchema = v.object({
  dry_run: v.boolean(),
  looked_at: v.number(),
  jobs: v.array(
    v.object({
      id: v.number(),
      description: v.string(),
      end_time: v.optional(v.string()),
      remove: v.picklist(["job", "log"]),
      /** Number of the rule, from 1. */
      rule: v.number(),
    }),
  ),
  /** The last job that was looked at; absent when there is none that a rule could be for. */
  next: v.optional(v.number()),
});
export type RetentionStep = v.InferOutput<typeof retentionStepSchema>;

/** `GET`, `PUT` and `DELETE /api/v1/jobs/ID/keep`: who keeps it. */
export const keptSchema = v.object({ by: v.array(v.string()) });
export type Kept = v.InferOutput<typeof keptSchema>;
