import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";
import { workerKey } from "./keys.ts";
import { isLeaving, suits } from "./suits.ts";
import { isSchedulable, type WorkerRecord } from "./worker-record.ts";

/** How many devices of its type are looked at: a job waits for the same reasons in a lab of ten thousand. */
const MOST_DEVICES = 50;

/** Why a job is still Submitted; undefined for one that isn't. */
export async function whyItWaits(deps: Deps, job: JobRecord): Promise<string | undefined> {
  if (job.state !== "Submitted") return undefined;
  const partition = `type-devices#${job.device_type}`;
  const page = await deps.table.query<DeviceRecord>("i2", partition, { limit: MOST_DEVICES });
  const fitting = page.items.map(({ data }) => data).filter((device) => suits(job, device));
  const more = page.cursor === undefined ? "" : ` among the first ${MOST_DEVICES}`;
  if (fitting.length === 0) return `no device of type ${job.device_type} fits any more${more}`;
  const names = [...new Set(fitting.map(({ worker }) => worker))];
  const workers = await Promise.all(
    names.map((name) => deps.table.get<WorkerRecord>(workerKey(name))),
  );
  const workerOf = new Map(names.map((name, n) => [name, workers[n]?.data]));
  const reasons = new Map<string, number>();
  for (const device of fitting) {
    const reason = isLeaving(job, device)
      ? `on worker ${device.worker}, which has not yet let go of the attempt before`
      : unavailability(device, workerOf.get(device.worker));
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`);
  const devices = `${fitting.length} fitting device${fitting.length === 1 ? "" : "s"}${more}`;
  return `of ${devices}: ${parts.join(", ")}`;
}

function unavailability(device: DeviceRecord, worker: WorkerRecord | undefined): string {
  if (device.state !== "Idle") return "busy";
  if (device.health !== "Good" && device.health !== "Unknown") return `in health ${device.health}`;
  if (!worker) return `on worker ${device.worker}, which is gone`;
  if (!isSchedulable(worker)) {
    const isBusy = worker.state === "Online" && worker.health === "Active";
    if (isBusy) return `on worker ${worker.name}, which can't begin another job: ${worker.no_jobs}`;
    const state = worker.health === "Active" ? worker.state : `in ${worker.health}`;
    return `on worker ${worker.name}, which is ${state}`;
  }
  return worker.job_limit > 0 ? `on worker ${worker.name}, which may be at its job limit` : "free";
}
