import type { JobView } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { deviceTypeNames } from "./device-types.ts";
import { jobView, type JobRecord } from "./job-record.ts";
import type { Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { sightOf } from "./visible.ts";

/** How many waiting jobs of one device type are looked at, those first that are the next to begin. */
const MOST_OF_A_TYPE = 2000;

/**
 * The jobs that wait for a device, newest first, of those that whoever asks may see; of all device types when none are named. It
 * reads the queues and not the list of all jobs, so that it costs what waits.
 */
export async function queuedJobs(
  deps: Deps,
  principal: Principal,
  types?: readonly string[],
): Promise<JobView[]> {
  const sight = await sightOf(deps, principal);
  const found: JobView[] = [];
  for (const type of new Set(types ?? (await deviceTypeNames(deps)))) {
    let seen = 0;
    for await (const { data } of queryAll<JobRecord>(deps, "i2", `queue#${type}`)) {
      // The index may lag behind what has begun since.
      if (data.state === "Submitted" && (await sight.job(data))) found.push(jobView(data));
      if ((seen += 1) === MOST_OF_A_TYPE) break;
    }
  }
  return found.toSorted((a, b) => b.id - a.id);
}
