import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { GroupRecord } from "./group-record.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { pause } from "./pause.ts";
import { queryAll } from "./query-all.ts";

/** Items of lists that are looked at, at most: types, devices, groups and jobs together. */
const MOST_READ = 20_000;

/**
 * The jobs that have not ended, in the order of their ids, whoever may see them: those of the queues, of the devices that are not Idle,
 * and of the multinode groups that have not ended. So what it costs is the size of the lab, not of its past. Undefined when there is
 * more of it than one request reads.
 */
export async function unfinishedJobs(
  deps: Deps,
  { isSubmittedOnly }: { isSubmittedOnly: boolean },
): Promise<JobRecord[] | undefined> {
  const found = new Map<number, JobRecord>();
  const others = new Set<number>();
  let read = 0;
  const list = async <T>(
    index: "i1" | "i2",
    partition: string,
    take: (data: T) => void,
  ): Promise<boolean> => {
    for await (const { data } of queryAll<T>(deps, index, partition, { limit: 500 })) {
      if (++read > MOST_READ) return false;
      if (read % 500 === 0) await pause();
      take(data);
    }
    return true;
  };
  const types: string[] = [];
  if (!(await list<{ name: string }>("i1", "device-types", ({ name }) => types.push(name)))) return;
  for (const type of types) {
    const queue = `queue#${type}`;
    if (!(await list<JobRecord>("i2", queue, (job) => found.set(job.id, job)))) return;
  }
  const ofDevice = ({ current_job }: DeviceRecord) =>
    current_job === undefined || others.add(current_job);
  if (!isSubmittedOnly && !(await list("i1", "devices", ofDevice))) return;
  // Some of a group's jobs wait in no queue and have no device of their own.
  const ofGroup = ({ members }: GroupRecord) => members.map(({ job_id }) => others.add(job_id));
  if (!(await list("i1", "open-multinode", ofGroup))) return;
  for (const id of others) {
    if (found.has(id)) continue;
    if (++read > MOST_READ) return;
    const job = (await findJobItem(deps, id))?.data;
    if (job) found.set(id, job);
  }
  return [...found.values()]
    .filter(({ state }) => state !== "Finished")
    .toSorted((a, b) => a.id - b.id);
}
