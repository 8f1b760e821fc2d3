import type { WorkerView } from "#protocol/api.ts";
import type { WorkerHealthRequest } from "#protocol/history.ts";
import { workerChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { deviceTypesOfWorker, workerItem, type WorkerRecord } from "./worker-record.ts";
import { passOn } from "./worker-to-devices.ts";
import { getWorker, getWorkerToChange } from "./workers.ts";

/**
 * Sets a worker's health, with all its devices in one step (SCHEDULER.md 1.2, 1.3): in Maintenance its jobs run to their end
 * and none begins; Active again, its devices have to show that they are Good; Retired, they are Retired. Throws `not_found`,
 * `forbidden`.
 */
export async function setWorkerHealth(
  deps: Deps,
  principal: Principal,
  name: string,
  { health, reason }: WorkerHealthRequest,
): Promise<WorkerView> {
  const user = requireUser(principal);
  const by = { who: user.name, reason };
  await retrying(async () => {
    const { data, version } = await getWorkerToChange(deps, user, name);
    const worker: WorkerRecord = { ...data, health };
    await passOn(deps, worker, data.health, by);
    await deps.table.transact([
      { put: workerItem(worker), when: { version } },
      ...workerChange(deps, data, worker, by),
    ]);
  });
  for (const type of await deviceTypesOfWorker(deps, name)) await deps.signals.requestPass(type);
  return getWorker(deps, user, name);
}
