import type { StoredItem } from "../../ports/table.ts";
import type { DeviceRecord } from "../device-record.ts";
import { findJobItem } from "../job-record.ts";
import { workerKey } from "../keys.ts";
import { findReservation } from "../reservation-record.ts";
import { holdsDevice } from "../settle-restored.ts";
import { checkHistory } from "./check-history.ts";
import type { Looking } from "./check-page.ts";

/** A device, its job, its worker and its reservation. */
export async function checkDevice(looking: Looking, { data }: StoredItem): Promise<void> {
  const { deps, say } = looking;
  const device = data as DeviceRecord;
  const { hostname, current_job: id, state, worker, reservation } = device;
  const what = `device ${hostname}`;
  if ((id === undefined) !== (state === "Idle")) {
    say("device-holder", what, `it is ${state} with ${id === undefined ? "no job" : `job ${id}`}`);
  }
  if (id !== undefined) {
    const job = (await findJobItem(deps, id))?.data;
    const holds = job?.device === hostname && (holdsDevice(job) || job.state === "Scheduling");
    if (!job) say("device-holder", what, `its job ${id} is not there`);
    else if (!holds && job.left?.device !== hostname) {
      const where = job.device === undefined ? "" : ` on ${job.device}`;
      say("device-holder", what, `its job ${id} is ${job.state}${where}`);
    }
  }
  if (!(await deps.table.get(workerKey(worker)))) {
    say("lost-device", what, `its worker ${worker} is not there`);
  }
  if (reservation) {
    const item = await findReservation(deps, reservation.id);
    const isRight = item?.data.state !== "ended" && item?.data.device === hostname;
    if (!isRight) say("reservation", what, `its reservation ${reservation.id} is none of it`);
  }
  await checkHistory(looking, "device", hostname, { state, health: device.health });
}
