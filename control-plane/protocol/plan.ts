import * as v from "valibot";

/** What a worker would do for a job, before it does it. */

/** What a plan is made of: a definition as a worker gets it, and the device rendered for it, both YAML. */
export interface PlanRequest {
  readonly definition: string;
  readonly device: string;
  readonly device_hostname: string;
  readonly device_type: string;
}

/** An action of a plan, with those that it is made of. */
export interface PlannedStep {
  /** Dotted, from 1: `2.1.1`. */
  level: string;
  name: string;
  /** `deploy:tmpfs`; at the top level only. */
  strategy?: string | undefined;
  /** Absent where the job names none. */
  namespace?: string | undefined;
  /** How often it is tried at most; absent: once. */
  attempts?: number | undefined;
  /** For one attempt. */
  timeout_seconds: number;
  steps?: PlannedStep[] | undefined;
}
export const plannedStepSchema: v.GenericSchema<PlannedStep> = v.object({
  level: v.string(),
  name: v.string(),
  strategy: v.optional(v.string()),
  namespace: v.optional(v.string()),
  attempts: v.optional(v.number()),
  timeout_seconds: v.number(),
  steps: v.optional(v.array(v.lazy(() => plannedStepSchema))),
});

/** A plan, or why there is none: no strategy takes a block, or it is too large to be shown. */
export type PlanAnswer =
  | { steps: PlannedStep[]; problem?: never }
  | { problem: string; steps?: never };
