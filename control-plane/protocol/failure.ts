import * as v from "valibot";

/**
 * Who must act when a job fails: the words of `error_type` in LAVA's final record
 * (DISPATCHER.md 5.1), which clients filter on.
 */
export const ERROR_TYPES = [
  "Infrastructure",
  "Configuration",
  "Bug",
  "Job",
  "Test",
  "Canceled",
  "LAVATimeout",
  "MultinodeTimeout",
  "FastbootDeviceNotFound",
] as const;
export type ErrorType = (typeof ERROR_TYPES)[number];
export const errorTypeSchema = v.picklist(ERROR_TYPES);

/** Types that say the lab, not the job, is at fault: the device's health becomes Unknown (SCHEDULER.md 1.2). */
export const isLabFault = (type: ErrorType | undefined): boolean =>
  type === "Infrastructure" || type === "Configuration" || type === "Bug";
