import type { WorkerView } from "#protocol/api.ts";
import type { EditWorker } from "#protocol/edit-device.ts";
import { editChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { deviceTypesOfWorker, workerItem, type WorkerRecord } from "./worker-record.ts";
import { getWorker, getWorkerToChange } from "./workers.ts";

/** Changes what is named of a worker. Throws `not_found`, `forbidden`. */
export async function editWorker(
  deps: Deps,
  principal: Principal,
  name: string,
  { description, job_limit, reason }: EditWorker,
): Promise<WorkerView> {
  const user = requireUser(principal);
  await retrying(async () => {
    const { data, version } = await getWorkerToChange(deps, user, name);
    const worker: WorkerRecord = {
      ...data,
      description: description ?? data.description,
      job_limit: job_limit ?? data.job_limit,
    };
    const by = { who: user.name, reason };
    await deps.table.transact([
      { put: workerItem(worker), when: { version } },
      ...editChange(deps, "worker", name, [edited(data), edited(worker)], by),
    ]);
  });
  // There may be room for another job.
  for (const type of await deviceTypesOfWorker(deps, name)) await deps.signals.requestPass(type);
  return getWorker(deps, user, name);
}

const edited = ({ description, job_limit }: WorkerRecord) => ({ description, job_limit });
