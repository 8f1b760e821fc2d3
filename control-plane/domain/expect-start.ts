import type { Waits } from "#protocol/queue.ts";
import type { Deps } from "./deps.ts";
import type { Durations } from "./durations.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { suits, type Obstacle } from "./suits.ts";
import type { Choice } from "./waits-for.ts";
import type { Item } from "../ports/table.ts";

/** Of that many busy devices it is asked how long their jobs run already. */
const MOST_ASKED = 20;

/** What passes by itself, in about the time of a job when nothing else is known. */
const PASSING: ReadonlySet<Obstacle["code"]> = new Set([
  "busy",
  "left",
  "health check",
  "worker limit",
  "reserved",
  "window",
]);

/** Whether what keeps a job from a device passes without anybody's doing. */
export const isPassing = ({ code }: Obstacle): boolean => PASSING.has(code);

interface Line {
  readonly choices: readonly Choice[];
  /** The jobs before it that want the same devices, in their order. */
  readonly rivals: readonly JobRecord[];
  readonly isBeyond: boolean;
}

/** Reads a job; whoever asks about many waiting jobs remembers what it has read. */
export type FindJob = (id: number) => Promise<Item<JobRecord> | undefined>;

/**
 * When a job may begin: each job before it takes the first device that becomes free and suits it, for as long as jobs of the type
 * take. Nothing where no device would come to it without somebody's doing.
 */
export async function expectStart(
  deps: Deps,
  { choices, rivals, isBeyond }: Line,
  durations: Durations,
  findJob: FindJob = (id) => findJobItem(deps, id),
): Promise<Pick<Waits, "expected_start" | "expected_late" | "sure">> {
  const open = choices.filter(({ found }) => !found || isPassing(found));
  if (open.length === 0) return {};
  const now = deps.system.now();
  const ages = await agesOf(findJob, open, now);
  const at = (seconds: number): string => {
    const free = open.map((choice) => freeAt(choice, seconds, now, ages));
    for (const rival of rivals) {
      const taken = firstOf(free, (n) => suits(rival, open[n]!.device));
      if (taken !== undefined) free[taken] = (free[taken] ?? now) + seconds * 1000;
    }
    return new Date(Math.min(...free)).toISOString();
  };
  const { p50, p90, samples } = durations;
  const sure = isBeyond || samples === 0 ? "guess" : samples < 10 ? "rough" : "good";
  return { expected_start: at(p50), expected_late: at(p90), sure };
}

function firstOf(free: readonly number[], mayTake: (index: number) => boolean): number | undefined {
  let best: number | undefined;
  for (const [index, time] of free.entries()) {
    if (!mayTake(index)) continue;
    if (best === undefined || time < (free[best] ?? 0)) best = index;
  }
  return best;
}

/** In ms since 1970. A job that has taken longer than usual may end at any moment. */
function freeAt(
  { device, found }: Choice,
  seconds: number,
  now: number,
  ages: ReadonlyMap<string, number>,
): number {
  if (!found) return now;
  if (found.until !== undefined) return Math.max(now, found.until);
  const left = seconds - (ages.get(device.hostname) ?? 0);
  return now + Math.max(0, left) * 1000;
}

/** For how many seconds the devices' jobs have run. */
async function agesOf(
  findJob: FindJob,
  choices: readonly Choice[],
  now: number,
): Promise<Map<string, number>> {
  const busy = choices.filter(({ device }) => device.current_job !== undefined);
  const ages = new Map<string, number>();
  for (const { device } of busy.slice(0, MOST_ASKED)) {
    const job = await findJob(device.current_job ?? 0);
    const start = job?.data.start_time;
    if (start !== undefined) ages.set(device.hostname, (now - Date.parse(start)) / 1000);
  }
  return ages;
}
