import * as v from "valibot";

/** Job states in the order they may be passed; only another attempt begins anew (SCHEDULER.md 1.1, retry-on.ts). */
export const JOB_STATES = [
  "Submitted",
  "Scheduling",
  "Scheduled",
  "Running",
  "Canceling",
  "Finished",
] as const;
export type JobState = (typeof JOB_STATES)[number];

/** Outcome of a job; `Unknown` until it is Finished (SCHEDULER.md 1.1). */
export const JOB_HEALTHS = ["Unknown", "Complete", "Incomplete", "Canceled"] as const;
export type JobHealth = (typeof JOB_HEALTHS)[number];

export const DEVICE_STATES = ["Idle", "Reserved", "Running"] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

export const DEVICE_HEALTHS = [
  "Good",
  "Unknown",
  "Looping",
  "Bad",
  "Maintenance",
  "Retired",
] as const;
export type DeviceHealth = (typeof DEVICE_HEALTHS)[number];

export const WORKER_STATES = ["Online", "Offline"] as const;
export type WorkerState = (typeof WORKER_STATES)[number];

export const WORKER_HEALTHS = ["Active", "Maintenance", "Retired"] as const;
export type WorkerHealth = (typeof WORKER_HEALTHS)[number];

export const TEST_RESULTS = ["pass", "fail", "skip", "unknown"] as const;
export type TestResult = (typeof TEST_RESULTS)[number];

export const jobStateSchema = v.picklist(JOB_STATES);
export const jobHealthSchema = v.picklist(JOB_HEALTHS);
export const deviceStateSchema = v.picklist(DEVICE_STATES);
export const deviceHealthSchema = v.picklist(DEVICE_HEALTHS);
export const workerStateSchema = v.picklist(WORKER_STATES);
export const workerHealthSchema = v.picklist(WORKER_HEALTHS);
export const testResultSchema = v.picklist(TEST_RESULTS);

/** Whether a job may go from one state to another: forward only, and a repeat is no step. */
export const isLaterJobState = (from: JobState, to: JobState): boolean =>
  JOB_STATES.indexOf(to) > JOB_STATES.indexOf(from);
