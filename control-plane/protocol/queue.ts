import * as v from "valibot";

/** Why a job waits, where it stands, and when it may begin. */

export const waitReasonSchema = v.object({
  /** For programs: `busy`, `health`, `worker offline`, `quota`, `reserved`, `window`, `permission`, `tags` ... (docs/queue.md) */
  code: v.string(),
  /** Of how many devices it holds; 0: of the job, whatever the device. */
  devices: v.number(),
  text: v.string(),
});

export const waitsSchema = v.object({
  reasons: v.array(waitReasonSchema),
  /** In the queue of its device type: 1 is next. Absent while the lab would pass it over anyway, as by a quota. */
  position: v.optional(v.number()),
  /** How many of those before it could take a device that this one could have. */
  ahead: v.optional(v.number()),
  /** There are more before it: `position` and `ahead` are what was counted. */
  more: v.optional(v.literal(true)),
  /** When it begins if jobs take as long as usual, and if they take long; absent while nothing can be said. */
  expected_start: v.optional(v.string()),
  expected_late: v.optional(v.string()),
  /** `good`: from ten jobs of this type or more; `rough`: from a few; `guess`: from none, or with very many before it. */
  sure: v.optional(v.picklist(["good", "rough", "guess"])),
});
export type Waits = v.InferOutput<typeof waitsSchema>;

export const queuedJobSchema = v.object({
  position: v.number(),
  id: v.number(),
  description: v.string(),
  submitter: v.string(),
  priority: v.number(),
  submit_time: v.string(),
  tags: v.array(v.string()),
  /** One sentence. */
  waits_for: v.string(),
  /** Of the first jobs: as in `waits`. */
  expected_start: v.optional(v.string()),
  expected_late: v.optional(v.string()),
  sure: v.optional(v.picklist(["good", "rough", "guess"])),
});
export type QueuedJob = v.InferOutput<typeof queuedJobSchema>;

/** `GET /api/v1/queue?device_type=&limit=`: the jobs that wait for a device type, the next one first. */
export const queueSchema = v.object({
  device_type: v.string(),
  /** Those that whoever asks may see; `position` counts the others as well. */
  jobs: v.array(queuedJobSchema),
  /** How many wait, counted up to some hundred. */
  waiting: v.number(),
  more: v.optional(v.literal(true)),
});
export type Queue = v.InferOutput<typeof queueSchema>;
