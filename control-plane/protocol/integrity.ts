import * as v from "valibot";

/** What a lab's check looks for, by name. A violation of any of these is a fault of Pumice, or of whoever wrote to its table by hand. */
export const RULES = {
  "unknown-item": "every item of the table is of a kind that Pumice writes",
  "damaged-item": "every item is what its key says",
  "wrong-lists": "every item stands in just the lists that its data say",
  "job-state": "a job's state, health, times, device and worker fit each other",
  "job-holder": "a job that has a device or a worker is known there, and by nobody else",
  "device-holder": "a device is held by the job that has it, or Idle",
  assignments: "a worker's jobs are those that are with it, each once",
  "stuck-job": "a job that runs has somebody who ends it, whatever happens to its worker",
  "lost-device": "what a device or a job belongs to is there",
  queue: "a job that waits stands in its queue, and its queue time-out is due",
  "waits-in-vain": "no job waits while a device is idle that it may have",
  log: "a job's log has no gap and no line twice, up to its last line",
  results: "every result is there once, in the chunk that it came with",
  "lost-blob": "every definition and chunk of a log is there, as large as was said",
  "lost-attempt": "every attempt of a job is there",
  orphan: "no part is left of a job, group or device that is not there",
  history: "the changes of a job, device or worker lead to what it is now, each once",
  quota: "a place of a quota is taken by a job that counts for it, once",
  group: "the jobs of a multinode group and the group know each other",
  reservation: "a device and its reservation know each other",
  overdue: "what was to be done at a time has been done",
} as const;
export type Rule = keyof typeof RULES;

const text = v.string();
export const violationSchema = v.object({
  rule: v.picklist(Object.keys(RULES) as [Rule, ...Rule[]]),
  /** `job 12`, `device qemu-01`. */
  what: text,
  text,
});
export type Violation = v.InferOutput<typeof violationSchema>;

/** Answer of `GET /backup/check?cursor=`: some of the table's items. */
export const checkedPageSchema = v.object({
  violations: v.array(violationSchema),
  /** How many items were looked at, by kind. */
  counts: v.record(text, v.number()),
  cursor: v.optional(text),
});
export type CheckedPage = v.InferOutput<typeof checkedPageSchema>;
