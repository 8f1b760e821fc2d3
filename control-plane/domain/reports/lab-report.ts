import { hasOnLab } from "../access.ts";
import type { Deps } from "../deps.ts";
import type { DeviceRecord } from "../device-record.ts";
import { deviceKey } from "../keys.ts";
import type { Principal } from "../principal.ts";
import { sightOf, type Sight } from "../visible.ts";
import { countDays } from "./count-days.ts";
import { DAY_MS, secondsOfBucket, type CountRow, type DayCounts } from "./day-counts.ts";

/** Devices whose permissions one report looks up; those beyond are left out. */
const MOST_LOOKED_UP = 500;
export const MOST_DAYS = 90;

interface Ended {
  Complete: number;
  Incomplete: number;
  Canceled: number;
  open: number;
}
export interface DayLine extends Ended {
  readonly day: string;
}
export interface TypeLine extends Ended {
  readonly name: string;
  /** Seconds; undefined where no job has waited. */
  readonly wait_p50?: number;
  readonly wait_p90?: number;
}
/** Of attempts, too, after which a job went on elsewhere: they are Incomplete. */
export interface DeviceLine extends Ended {
  readonly name: string;
  readonly type: string;
  readonly busy_seconds: number;
  /** Of all the time: 0 to 1. */
  readonly utilisation: number;
}

export interface LabReport {
  /** Oldest first, each day of the time. */
  readonly days: DayLine[];
  readonly failures: { error_type: string; count: number }[];
  /** Most jobs first. */
  readonly types: TypeLine[];
  /** The worst first: by the part that was Incomplete, of devices with the same part by how many were. */
  readonly devices: DeviceLine[];
  /** Days before today of which not all jobs are counted yet: the next report goes on with them. */
  readonly unfinished: string[];
  /** Today has more jobs than one report counts: the newest are in it. */
  readonly isTodayCut: boolean;
}

/**
 * How the lab did: of the jobs that were submitted in the last `days` days, today among them, by UTC. Of devices and device types
 * that whoever asks may see. Days that are over are counted once and kept; what is not kept yet is counted newest first,
 * 5,000 jobs in one call.
 */
export async function labReport(
  deps: Deps,
  principal: Principal,
  { days: wanted }: { days: number },
): Promise<LabReport> {
  const sight = await sightOf(deps, principal);
  const today = Math.floor(deps.system.now() / DAY_MS) * DAY_MS;
  const count = Math.min(Math.max(1, wanted), MOST_DAYS);
  const days = Array.from({ length: count }, (_none, n) => dayOf(today - n * DAY_MS));
  const found = await countDays(deps, days);
  const counts = await visibleCounts(deps, sight, found);
  const rows = counts.flatMap((one) => one.rows);
  const secondsInAll = (deps.system.now() - (today - (count - 1) * DAY_MS)) / 1000;
  return {
    days: counts.map((one) => ({ day: one.day, ...sumOf(one.rows) })).toReversed(),
    failures: failuresOf(rows),
    types: typesOf(rows),
    devices: devicesOf(rows, secondsInAll),
    unfinished: found.slice(1).flatMap(({ day, before }) => (before === undefined ? [day] : [])),
    isTodayCut: found[0]?.before === undefined,
  };
}

const dayOf = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** What somebody may know: rows of device types and devices that they may see; of a device that is gone, by its type. */
async function visibleCounts(
  deps: Deps,
  sight: Sight,
  all: readonly DayCounts[],
): Promise<readonly DayCounts[]> {
  if (hasOnLab(sight.access, "view")) return all;
  const answers = new Map<string, Promise<boolean>>();
  const seesDevice = async (name: string, type: string): Promise<boolean> => {
    const device = (await deps.table.get<DeviceRecord>(deviceKey(name)))?.data;
    return device ? sight.device(device) : sight.deviceType(await sight.typeNamed(type));
  };
  const sees = async ({ type, device }: CountRow): Promise<boolean> => {
    if (device === undefined) return sight.deviceType(await sight.typeNamed(type));
    const known = answers.get(device);
    if (known) return known;
    const answer =
      answers.size < MOST_LOOKED_UP ? seesDevice(device, type) : Promise.resolve(false);
    answers.set(device, answer);
    return answer;
  };
  return Promise.all(
    all.map(async (counts) => {
      const seen = await Promise.all(counts.rows.map(sees));
      return { ...counts, rows: counts.rows.filter((_row, n) => seen[n]) };
    }),
  );
}

function sumOf(rows: readonly CountRow[]): Ended {
  const sum: Ended = { Complete: 0, Incomplete: 0, Canceled: 0, open: 0 };
  for (const row of rows) {
    sum.Complete += row.Complete;
    sum.Incomplete += row.Incomplete;
    sum.Canceled += row.Canceled;
    sum.open += row.open;
  }
  return sum;
}

function failuresOf(rows: readonly CountRow[]): LabReport["failures"] {
  const failures = new Map<string, number>();
  for (const { errors } of rows) {
    for (const [type, count] of Object.entries(errors)) {
      failures.set(type, (failures.get(type) ?? 0) + count);
    }
  }
  return [...failures]
    .map(([error_type, count]) => ({ error_type, count }))
    .toSorted((a, b) => b.count - a.count);
}

function typesOf(rows: readonly CountRow[]): TypeLine[] {
  const lines = [...grouped(rows, ({ type }) => type)].map(([name, of]) => {
    const waits = new Map<number, number>();
    for (const [bucket, count] of of.flatMap((row) => Object.entries(row.waits))) {
      waits.set(Number(bucket), (waits.get(Number(bucket)) ?? 0) + count);
    }
    const [p50, p90] = [partOf(waits, 0.5), partOf(waits, 0.9)];
    const told = p50 === undefined || p90 === undefined ? {} : { wait_p50: p50, wait_p90: p90 };
    return { name, ...sumOf(of), ...told };
  });
  return lines.toSorted((a, b) => jobsOf(b) - jobsOf(a));
}

function grouped(
  rows: readonly CountRow[],
  keyOf: (row: CountRow) => string,
): Map<string, CountRow[]> {
  const groups = new Map<string, CountRow[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row)) ?? [];
    group.push(row);
    groups.set(keyOf(row), group);
  }
  return groups;
}

/** The seconds that this part of all waits took at the most. */
function partOf(waits: ReadonlyMap<number, number>, part: number): number | undefined {
  const all = [...waits].toSorted(([a], [b]) => a - b);
  const wanted = all.reduce((sum, [, count]) => sum + count, 0) * part;
  let seen = 0;
  for (const [bucket, count] of all) {
    seen += count;
    if (seen >= wanted) return secondsOfBucket(bucket);
  }
  return undefined;
}

function devicesOf(rows: readonly CountRow[], seconds: number): DeviceLine[] {
  const told = rows.filter(({ device }) => device !== undefined);
  const lines = [...grouped(told, ({ device = "" }) => device)].map(([name, of]) => {
    const busy = of.reduce((sum, row) => sum + row.busy_seconds, 0);
    const utilisation = Math.min(1, busy / Math.max(1, seconds));
    const ended = sumOf(of);
    for (const { attempts = 0 } of of) ended.Incomplete += attempts;
    return { name, type: of[0]?.type ?? "", ...ended, busy_seconds: busy, utilisation };
  });
  return lines.toSorted((a, b) => failureRate(b) - failureRate(a) || b.Incomplete - a.Incomplete);
}

const jobsOf = ({ Complete, Incomplete, Canceled, open }: Ended): number =>
  Complete + Incomplete + Canceled + open;

/** The part of jobs that ran to an end and were Incomplete: 0 to 1. */
export const failureRate = ({ Complete, Incomplete }: Ended): number =>
  Incomplete === 0 ? 0 : Incomplete / (Complete + Incomplete);
