import type { JobView } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { jobView, type JobRecord } from "./job-record.ts";
import { padded } from "./keys.ts";
import type { Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { getVisibleJob, sightOf } from "./visible.ts";

/** How many of each side are told, and how many jobs are looked at for them. */
const BEFORE = 24;
const AFTER = 12;
const MOST_SEEN = 300;

/**
 * Jobs like this one, the newest first and it among them: of the same submitter, device type and role, with a description that
 * differs in nothing but numbers and hashes; for a health check, those of its device. The nearest ones before and after it, as far
 * as they are among the submitter's 300 next ones and whoever asks may see them. Throws `not_found`.
 */
export async function similarJobs(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<JobView[]> {
  const job = await getVisibleJob(deps, principal, id);
  const sight = await sightOf(deps, principal);
  const isLike = (other: JobRecord): boolean =>
    !other.retried &&
    other.device_type === job.device_type &&
    other.role === job.role &&
    other.health_check === job.health_check &&
    likeness(other.description) === likeness(job.description);
  const [index, partition] =
    job.health_check && job.device !== undefined
      ? (["i3", `device-jobs#${job.device}`] as const)
      : (["i4", `submitter-jobs#${job.submitter}`] as const);
  const find = async (range: object, most: number): Promise<JobView[]> => {
    const found: JobView[] = [];
    let seen = 0;
    const jobs = queryAll<JobRecord>(deps, index, partition, { ...range, limit: 100 });
    for await (const { data } of jobs) {
      if (isLike(data) && (await sight.job(data))) found.push(jobView(data));
      if (found.length === most || ++seen === MOST_SEEN) break;
    }
    return found;
  };
  const after = await find({ from: padded(id + 1) }, AFTER);
  const before = await find({ to: `${padded(id - 1)}~`, reverse: true }, BEFORE);
  return [...after.toReversed(), jobView(job), ...before];
}

/** A description without what differs between two runs of the same thing: `boot v6.1-rc3 of 8f2a91c` and `boot v6.2-rc1 of 91bd00e`. */
const likeness = (description: string): string =>
  description.replace(/\b(?=[a-f]*\d)[0-9a-f]{7,64}\b|\d+/g, "0").toLowerCase();
