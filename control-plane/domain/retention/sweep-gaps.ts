import { atATime } from "../at-a-time.ts";
import { definitionBlob, multinodeBlob } from "../blob-names.ts";
import type { Deps } from "../deps.ts";
import { findJobItem, type JobRecord } from "../job-record.ts";
import { padded } from "../keys.ts";
import { TableConflict, type Key } from "../../ports/table.ts";
import { jobIds } from "../walk-jobs.ts";

/** A submission is over by then, and every index knows its job. */
const SETTLED_MS = 10 * 60 * 1000;
/** Jobs that one call looks at, and ids without a job behind which it leaves the rest to the next one. */
const MOST_JOBS = 200;
const MOST_GAPS = 200;
/** Of more ids in a row without a job only the last may be of submissions that failed: the others were jumped over. */
const LONGEST_GAP = 1000;
const ABREAST = 8;

/** How far the ids were looked through. */
interface Swept {
  up_to: number;
}
export const sweptKey: Key = { partition: "lab", sort: "swept" };

/**
 * A definition is put away before its job is in the table: a submission that fails in between leaves it under an id that no job has.
 * Removes such, up to the newest job that is ten minutes old. In a lab that has more jobs when it is first called it begins a thousand before
 * the newest. True when there is nothing more to do for a while.
 */
export async function sweepGaps(deps: Deps): Promise<boolean> {
  const item = await deps.table.get<Swept>(sweptKey);
  const upTo = item?.data.up_to ?? Math.max(0, ((await jobIds(deps))?.newest ?? 0) - LONGEST_GAP);
  const jobs = await settledJobs(deps, upTo);
  const newest = jobs.at(-1) ?? upTo;
  const gaps = gapsOf(upTo, jobs);
  const some = gaps.slice(0, MOST_GAPS);
  await atATime(ABREAST, some, (id) => removeLeft(deps, id));
  const reached = gaps.length > some.length ? (some.at(-1) ?? newest) : newest;
  if (item && reached === upTo) return true;
  const when = item ? { version: item.version } : "absent";
  try {
    await deps.table.transact([{ put: { key: sweptKey, data: { up_to: reached } }, when }]);
  } catch (error) {
    // Another tick was here at the same time.
    if (!(error instanceof TableConflict)) throw error;
  }
  return reached === upTo;
}

/** The ids of the jobs behind this one, oldest first, as far as nothing before them may still become a job. */
async function settledJobs(deps: Deps, upTo: number): Promise<number[]> {
  const range = { from: padded(upTo + 1), limit: MOST_JOBS };
  const { items } = await deps.table.query<JobRecord>("i1", "jobs", range);
  const before = new Date(deps.system.now() - SETTLED_MS).toISOString();
  const young = items.findIndex(({ data }) => data.submit_time > before);
  return items.slice(0, young === -1 ? undefined : young).map(({ data }) => data.id);
}

function gapsOf(upTo: number, jobs: readonly number[]): number[] {
  const gaps: number[] = [];
  let before = upTo;
  for (const id of jobs) {
    for (let gap = Math.max(before + 1, id - LONGEST_GAP); gap < id; gap++) gaps.push(gap);
    before = id;
  }
  return gaps;
}

async function removeLeft(deps: Deps, id: number): Promise<void> {
  if (await findJobItem(deps, id)) return;
  for (const nameOf of [definitionBlob, multinodeBlob]) await deps.blobs.remove(nameOf(id));
}
