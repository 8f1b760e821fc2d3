import * as v from "valibot";
import { labName } from "./lab.ts";

const line = (most: number) => v.pipe(v.string(), v.maxLength(most));

/** `PATCH /api/v1/devices/HOSTNAME`: what is absent stays, an empty text takes it away. */
export const editDeviceSchema = v.strictObject({
  /** Moves the device: refused while a job has it. */
  worker: v.optional(labName),
  description: v.optional(line(1000)),
  /** Who has it on their desk, and which group it belongs to: for people, it gives no rights. */
  physical_owner: v.optional(line(200)),
  physical_group: v.optional(line(200)),
  /** For whoever stands before it; shown as it is written. */
  notes: v.optional(line(10_000)),
  reason: v.optional(line(1000)),
});
export type EditDevice = v.InferOutput<typeof editDeviceSchema>;

/** `PATCH /api/v1/workers/NAME`: what is absent stays. */
export const editWorkerSchema = v.strictObject({
  description: v.optional(line(1000)),
  /** Most jobs at a time; 0: no limit. */
  job_limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10_000))),
  reason: v.optional(line(1000)),
});
export type EditWorker = v.InferOutput<typeof editWorkerSchema>;
