import type { RunnerReport } from "#protocol/worker-api.ts";
import type { Item } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { jobItem, type JobRecord } from "./job-record.ts";
import { without } from "./without.ts";

/** Notes whether a person may take the console of a job that runs, as its worker reports it; its state stays what it is. */
export async function notePause(
  deps: Deps,
  { data, version }: Item<JobRecord>,
  runners: readonly RunnerReport[],
): Promise<void> {
  const isWaiting = runners.some(({ job_id, ...report }) => {
    return job_id === data.id && report.waits_for_person === true;
  });
  if (isWaiting === (data.waits_for_person ?? false)) return;
  const job: JobRecord = {
    ...without(data, "waits_for_person"),
    ...(isWaiting ? { waits_for_person: true } : {}),
  };
  await deps.table.transact([{ put: jobItem(job), when: { version } }]);
  await deps.signals.ring(`job/${data.id}`);
}
