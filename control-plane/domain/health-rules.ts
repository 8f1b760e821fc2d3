import { isLabFault } from "#protocol/failure.ts";
import type { DeviceHealth } from "#protocol/states.ts";
import type { DeviceRecord } from "./device-record.ts";
import { DEVICE_TYPE_DEFAULTS, type DeviceTypeRecord } from "./device-types.ts";
import type { JobRecord } from "./job-record.ts";

const HOUR_MS = 60 * 60 * 1000;

/** What a device knows of its last health check. */
export interface CheckedRecord {
  job: number;
  /** When that job was submitted. */
  time: string;
  /** Other jobs that were started since. */
  jobs: number;
  /** When the next one is due, as its type had it then: a look at it is due, which may find otherwise. */
  due?: string;
  due_jobs?: number;
}

type Rhythm = Pick<DeviceTypeRecord, "health_disabled" | "health_frequency" | "health_denominator">;

/** Why a device needs a health check before its next job, if there is one for it (SCHEDULER.md 2.1). `now` in ms. */
export function whyCheck(
  { health, checked, check_due }: DeviceRecord,
  type: Rhythm = DEVICE_TYPE_DEFAULTS,
  now: number,
): string | undefined {
  if (type.health_disabled) return undefined;
  if (health === "Looping") return "it is Looping";
  if (health !== "Good" && health !== "Unknown") return undefined;
  if (check_due === "asked") return "somebody asked for one";
  if (health === "Unknown") return "its health is Unknown";
  if (!checked) return "it never had one";
  const { health_frequency: frequency, health_denominator: unit } = type;
  if (frequency === 0) return undefined;
  if (unit === "jobs") {
    return checked.jobs >= frequency ? `it had ${checked.jobs} jobs since the last one` : undefined;
  }
  const isDue = Date.parse(checked.time) + frequency * HOUR_MS <= now;
  return isDue ? `the last one was more than ${frequency} hours ago` : undefined;
}

/** What a device knows of a health check that is submitted now. */
export function checkedNow(job: number, type: Rhythm, now: number): CheckedRecord {
  const checked = { job, time: new Date(now).toISOString(), jobs: 0 };
  if (type.health_frequency === 0) return checked;
  if (type.health_denominator === "jobs") return { ...checked, due_jobs: type.health_frequency };
  return { ...checked, due: new Date(now + type.health_frequency * HOUR_MS).toISOString() };
}

/**
 * The device as it is written, marked when a pass has to look whether it needs a health check before it may be given to a job: it
 * is new, its health is another one, or its next check may be due.
 */
export function withMark(
  before: DeviceRecord | undefined,
  after: DeviceRecord,
  now: number,
): DeviceRecord {
  const { due, due_jobs = Infinity, jobs = 0 } = after.checked ?? {};
  const isOld = jobs >= due_jobs || (due !== undefined && Date.parse(due) <= now);
  const isDue = isOld || before?.health !== after.health || after.health === "Looping";
  return isDue ? { check_due: "due", ...after } : after;
}

/** A job's end, as far as it says something about the device. */
export type DeviceVerdict = Pick<JobRecord, "health" | "health_check" | "error_type"> & {
  /** The worker has not told it: the lab has given up waiting. */
  isAssumed?: boolean | undefined;
};

/**
 * A device's health after a job (SCHEDULER.md 1.2). What a person has set stays: a job says nothing about a device in Maintenance
 * or Retired, and one that was spoilt by the lab makes only a Good device Unknown. A health check that nobody has seen the end of
 * is one that has to be made again.
 */
export function healthAfter(health: DeviceHealth, job: DeviceVerdict): DeviceHealth {
  if (!job.health_check)
    return isLabFault(job.error_type) && health === "Good" ? "Unknown" : health;
  if (health === "Looping" || health === "Maintenance" || health === "Retired") return health;
  if (job.isAssumed) return "Unknown";
  return job.health === "Complete" ? "Good" : "Bad";
}
