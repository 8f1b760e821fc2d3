import * as v from "valibot";
import { sourceProblemSchema } from "./api.ts";
import { plannedStepSchema } from "./plan.ts";
import { waitsSchema } from "./queue.ts";

/** What a submission would do, without doing it. */

/** `POST /api/v1/jobs/check`: what is wrong with a definition, as a submission would find it. */
export const checkedJobSchema = v.object({
  /** Why it would be refused; none: it is accepted. */
  problems: v.array(sourceProblemSchema),
  /** What does not do what it says. */
  warnings: v.array(sourceProblemSchema),
  /** Warnings that are of no place in the text. */
  notes: v.array(v.string()),
});
export type CheckedJob = v.InferOutput<typeof checkedJobSchema>;

export const dryRunDeviceSchema = v.object({
  hostname: v.string(),
  worker: v.string(),
  /** `free`: it could begin at once; `later`: it fits, but not now; `no`: somebody has to change something first. */
  fit: v.picklist(["free", "later", "no"]),
  /** Absent when it is free. For programs as in the queue (docs/queue.md), and `configuration`: it can't do what the job asks for. */
  code: v.optional(v.string()),
  why: v.optional(v.string()),
});
export type DryRunDevice = v.InferOutput<typeof dryRunDeviceSchema>;

/** A job, or those of one role. */
export const dryRunJobSchema = v.object({
  role: v.optional(v.string()),
  /** How many jobs the role has. */
  count: v.number(),
  /** The role whose device it connects to: it has none of its own. */
  host_role: v.optional(v.string()),
  device_type: v.string(),
  /** Those that whoever asks may see, the ones that fit first. */
  devices: v.array(dryRunDeviceSchema),
  /** There are more devices of the type than were looked at. */
  more_devices: v.optional(v.literal(true)),
  /** Where it would stand in the queue; absent where no device would come to it. */
  waits: v.optional(v.omit(waitsSchema, ["reasons"])),
  /** What a worker would do on the device that fits best, be it out of order now; or why it can't. */
  plan: v.optional(
    v.object({
      device: v.string(),
      steps: v.optional(v.array(plannedStepSchema)),
      problem: v.optional(v.string()),
    }),
  ),
});
export type DryRunJob = v.InferOutput<typeof dryRunJobSchema>;

/** `POST /api/v1/jobs/dry-run`: body is the definition itself; nothing is stored. */
export const dryRunSchema = v.object({
  /** A submission would put it into the queue. */
  accepted: v.boolean(),
  ...checkedJobSchema.entries,
  /** A quota that would refuse it, or keep it waiting, whatever the device. */
  quota: v.optional(v.string()),
  /** One, or one for each role; none where the definition can't be read so far. */
  jobs: v.array(dryRunJobSchema),
  /** There are more roles than are told of. */
  more_roles: v.optional(v.literal(true)),
});
export type DryRun = v.InferOutput<typeof dryRunSchema>;
