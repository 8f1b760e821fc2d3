import type { JobView } from "#protocol/api.ts";
import type { Column } from "../../domain/job-list/pack-rows.ts";
import { jobView, type JobRecord } from "../../domain/job-record.ts";
import type { Call } from "./method.ts";

/** Which jobs are wanted; `columns`: what `fits` looks at, beside the state. */
interface Wanted {
  readonly fits?: ((job: JobRecord) => boolean) | undefined;
  readonly columns: readonly Column[];
  readonly start: number;
  readonly limit: number;
}

/** The newest jobs that fit, of those that whoever asks may see, from the `start`th on; however many jobs there are. */
export async function newestJobs(
  { deps, principal }: Call,
  { start: offset, limit, ...wanted }: Wanted,
): Promise<JobView[]> {
  const { findJobs } = await import("../../domain/job-list/find-jobs.ts");
  const { jobsNamed } = await import("../../domain/walk-jobs.ts");
  const search = { ...wanted, order: "newest", offset, limit, isCounted: false } as const;
  const { ids } = await findJobs(deps, principal, search);
  return (await jobsNamed(deps, principal, ids)).map((job) => jobView(job));
}

/** The same of those that have not ended: there are no more of them than the lab has queues and devices for. */
export async function newestUnfinished(
  { deps, principal }: Call,
  { fits = () => true, start, limit }: Wanted,
): Promise<JobView[] | undefined> {
  const { unfinishedJobs } = await import("../../domain/unfinished-jobs.ts");
  const { jobsInSight } = await import("../../domain/walk-jobs.ts");
  const jobs = (await unfinishedJobs(deps, { isSubmittedOnly: false }))?.filter(fits);
  if (!jobs) return undefined;
  const seen = await jobsInSight(deps, principal, jobs.toReversed());
  return seen.slice(start, start + limit).map((job) => jobView(job));
}
