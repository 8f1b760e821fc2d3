import type { Index } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import type { JobRecord } from "./job-record.ts";
import { padded } from "./keys.ts";

const MOST_ID = 10 ** 12 - 1;

/** A list of jobs by id: all, of a device, of a submitter. */
export type JobsIndex = readonly [index: Index, partition: string];
export const ALL_JOBS: JobsIndex = ["i1", "jobs"];

/**
 * An id: the jobs of a list up to it were submitted before a time, those after it were not. Jobs are numbered in the order of their
 * submission, so this halves its way there: some twenty reads of one job, however many there are.
 */
export async function lastIdBefore(
  { table }: Pick<Deps, "table">,
  [index, partition]: JobsIndex,
  timeMs: number,
): Promise<number> {
  const newestUpTo = async (id: number): Promise<JobRecord | undefined> => {
    const range = { reverse: true, limit: 1, to: `${padded(id)}~` };
    return (await table.query<JobRecord>(index, partition, range)).items[0]?.data;
  };
  let low = 0;
  let high = (await newestUpTo(MOST_ID))?.id ?? 0;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const job = await newestUpTo(middle);
    if (!job || job.id <= low || Date.parse(job.submit_time) < timeMs) low = middle;
    else high = job.id - 1;
  }
  return low;
}
