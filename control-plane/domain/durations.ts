import { TableConflict, type NewItem } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import type { JobRecord } from "./job-record.ts";
import { durationsKey } from "./keys.ts";

/** How long jobs of a device type had their device of late, in seconds; the last one last. */
export interface DurationsRecord {
  device_type: string;
  recent: number[];
}

/** More say no more about the next job. */
const KEPT = 50;
/** Of a type of which nothing is known. */
const ASSUMED_SECONDS = 600;

export interface Durations {
  /** Half of the jobs, and nine of ten, took at most this long. */
  readonly p50: number;
  readonly p90: number;
  /** On how many jobs that is founded; 0: it is assumed. */
  readonly samples: number;
}

/** How long jobs of a type take. */
export async function durationsOf({ table }: Deps, deviceType: string): Promise<Durations> {
  const recent = (await table.get<DurationsRecord>(durationsKey(deviceType)))?.data.recent ?? [];
  const sorted = recent.toSorted((a, b) => a - b);
  const at = (part: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? ASSUMED_SECONDS;
  return { p50: at(0.5), p90: at(0.9), samples: sorted.length };
}

/** Remembers how long a job took that ran. Another end at the same moment may win: one more or less is no loss. */
export async function noteDuration(deps: Deps, job: JobRecord): Promise<void> {
  const { device_type, health } = job;
  const seconds = secondsOf(job);
  const hasRun = health === "Complete" || health === "Incomplete";
  if (!hasRun || job.device === undefined || job.health_check || seconds === undefined) return;
  const item = await deps.table.get<DurationsRecord>(durationsKey(device_type));
  const recent = [...(item?.data.recent ?? []), Math.round(seconds)].slice(-KEPT);
  const when = item ? { version: item.version } : "absent";
  try {
    await deps.table.transact([{ put: durationsItem({ device_type, recent }), when }]);
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
  }
}

export const durationsItem = (data: DurationsRecord): NewItem => ({
  key: durationsKey(data.device_type),
  data,
});

/** How long a job that has ended had its device. */
export function secondsOf({ start_time, end_time }: JobRecord): number | undefined {
  if (start_time === undefined || end_time === undefined) return undefined;
  return Math.max(0, (Date.parse(end_time) - Date.parse(start_time)) / 1000);
}
