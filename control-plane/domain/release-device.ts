import type { DeviceView } from "#protocol/api.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { deviceView, getDeviceItem } from "./device-record.ts";
import { returnDevice } from "./end-job.ts";
import { findJobItem } from "./job-record.ts";
import { requireUser, type Principal } from "./principal.ts";
import { endAttempt, leaveWorker } from "./retry-job.ts";
import { retrying } from "./retrying.ts";
import { getChangeableDevice } from "./visible.ts";
import { getWorkerItem } from "./worker-record.ts";

/**
 * Takes a device from a job whose worker doesn't come back, for another job or another worker: the job ends Incomplete, as
 * the lab's fault, or stays ended as it was. Nobody has switched the device off: its health becomes Unknown. Should the
 * worker come back after all, it stops what it runs and delivers no more. Throws `not_found`, `conflict` when no job has the
 * device or its worker is Online.
 */
export async function releaseDevice(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<DeviceView> {
  const user = requireUser(principal);
  await retrying(async () => {
    const { data: device } = await getChangeableDevice(deps, user, hostname);
    const { current_job: id } = device;
    if (id === undefined) throw new AppError("conflict", `no job has device ${hostname}`);
    const item = await findJobItem(deps, id);
    if (!item) throw new AppError("conflict", `job ${id}, which has device ${hostname}, is gone`);
    const job = item.data;
    const name = job.left?.device === hostname ? job.left.worker : (job.worker ?? device.worker);
    const { data: worker } = await getWorkerItem(deps, name);
    if (worker.state === "Online") {
      const message = `worker ${name} is Online, so it is not for us to take device ${hostname} from job ${id}: cancel the job`;
      throw new AppError("conflict", message);
    }
    if (job.left?.device === hostname) return leaveWorker(deps, item);
    if (job.state === "Finished") return returnDevice(deps, item);
    const isCanceling = job.state === "Canceling";
    await endAttempt(deps, item, {
      health: isCanceling ? "Canceled" : "Incomplete",
      error_type: isCanceling ? "Canceled" : "Infrastructure",
      isAssumed: true,
      error_msg: `${user.name} released device ${hostname}: worker ${name} has been silent since ${worker.last_sync ?? "ever"}`,
    });
  });
  const { data } = await getDeviceItem(deps, hostname);
  deps.system.log("device released", { hostname, user: user.name });
  return deviceView(deps, data);
}
