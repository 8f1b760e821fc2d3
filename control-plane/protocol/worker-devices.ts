import * as v from "valibot";
import { plainRecord } from "./plain-record.ts";

/** `GET /api/v1/worker/devices`: what a worker may look at on its own machine, before a job finds it out. */
export const workerDevicesSchema = v.object({
  /** Whose the token is. */
  worker: v.string(),
  /** The worker's settings in YAML, as its jobs get them. */
  dispatcher: v.string(),
  devices: v.array(
    v.object({
      hostname: v.string(),
      device_type: v.string(),
      /** A job has it: what is open is the job's. */
      is_busy: v.boolean(),
      /** As rendered for a job without a context; not when it can't be. */
      configuration: v.optional(plainRecord(v.string(), v.unknown())),
      /** Why it can't. */
      problem: v.optional(v.string()),
    }),
  ),
});
export type WorkerDevices = v.InferOutput<typeof workerDevicesSchema>;
