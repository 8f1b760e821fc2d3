import type { DeviceView } from "#protocol/api.ts";
import type { EditDevice } from "#protocol/edit-device.ts";
import { accessOf, mayDoTo, maySeeWorker } from "./access.ts";
import { AppError } from "./app-error.ts";
import { deviceChange, editChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import {
  aboutDevice,
  deviceItem,
  deviceView,
  withPapers,
  type DeviceRecord,
} from "./device-record.ts";
import { workerKey } from "./keys.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { getChangeableDevice } from "./visible.ts";
import type { WorkerRecord } from "./worker-record.ts";

/**
 * Changes what is named of a device, and moves it to another worker. Throws `not_found`, `invalid` for an unknown worker,
 * `forbidden` for one that they may not change, `conflict` for a move while a job has the device.
 */
export async function editDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
  { reason, ...wanted }: EditDevice,
): Promise<DeviceView> {
  const user = requireUser(principal);
  const device = await retrying(async () => {
    const { data, version } = await getChangeableDevice(deps, user, hostname);
    const { worker = data.worker, description = data.description, ...papers } = wanted;
    const record = withPapers({ ...data, worker, description }, papers);
    if (record.worker !== data.worker) await requireMove(deps, user, data, record.worker);
    const by = { who: user.name, reason };
    await deps.table.transact([
      { put: deviceItem(record), when: { version } },
      ...deviceChange(deps, data, record, by),
      ...editChange(
        deps,
        "device",
        hostname,
        [aboutDevice(deps, data), aboutDevice(deps, record)],
        by,
      ),
    ]);
    return record;
  });
  // Its new worker may be the one that is online.
  if (wanted.worker !== undefined) await deps.signals.requestPass(device.device_type);
  return deviceView(deps, device);
}

async function requireMove(
  deps: Deps,
  user: User,
  { hostname, current_job }: DeviceRecord,
  worker: string,
): Promise<void> {
  const there = (await deps.table.get<WorkerRecord>(workerKey(worker)))?.data;
  const access = await accessOf(deps, user);
  if (!there || !maySeeWorker(access, there)) {
    throw new AppError("invalid", `worker: there is no worker ${worker}; add it first`);
  }
  if (!mayDoTo(access, there, "change")) {
    const message = `you may not move ${hostname} to worker ${worker}: that needs the permission to change both`;
    throw new AppError("forbidden", message);
  }
  if (current_job === undefined) return;
  const message = `job ${current_job} has ${hostname}: it can be moved when the job has ended`;
  throw new AppError("conflict", message);
}
