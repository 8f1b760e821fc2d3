import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";
import { workerKey } from "./keys.ts";
import { queryAll } from "./query-all.ts";
import { suits } from "./schedule.ts";
import { isSchedulable, type WorkerRecord } from "./worker-record.ts";

/**
 * Says why Submitted jobs wait. One explainer serves one request: it reads the devices of a type and
 * their workers once.
 */
export function waitExplainer(deps: Deps): (job: JobRecord) => Promise<string | undefined> {
  const devicesOf = once((type: string) => readAll(deps, type));
  const workerOf = once(
    async (name: string) => (await deps.table.get<WorkerRecord>(workerKey(name)))?.data,
  );

  return async (job) => {
    if (job.state !== "Submitted") return undefined;
    const fitting = (await devicesOf(job.device_type)).filter((device) => suits(job, device));
    if (fitting.length === 0) return `no device of type ${job.device_type} fits any more`;
    const reasons = new Map<string, number>();
    for (const device of fitting) {
      const reason = unavailability(device, await workerOf(device.worker));
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`);
    return `of ${fitting.length} fitting device${fitting.length === 1 ? "" : "s"}: ${parts.join(", ")}`;
  };
}

function unavailability(device: DeviceRecord, worker: WorkerRecord | undefined): string {
  if (device.state !== "Idle") return "busy";
  if (device.health !== "Good" && device.health !== "Unknown") return `in health ${device.health}`;
  if (!worker) return `on worker ${device.worker}, which is gone`;
  if (!isSchedulable(worker)) {
    const state = worker.health === "Active" ? worker.state : `in ${worker.health}`;
    return `on worker ${worker.name}, which is ${state}`;
  }
  return worker.job_limit > 0 ? `on worker ${worker.name}, which may be at its job limit` : "free";
}

async function readAll(deps: Deps, deviceType: string): Promise<DeviceRecord[]> {
  const devices: DeviceRecord[] = [];
  for await (const { data } of queryAll<DeviceRecord>(deps, "i2", `type-devices#${deviceType}`)) {
    devices.push(data);
  }
  return devices;
}

function once<T>(read: (name: string) => Promise<T>): (name: string) => Promise<T> {
  const known = new Map<string, Promise<T>>();
  return (name) => {
    let value = known.get(name);
    if (!value) known.set(name, (value = read(name)));
    return value;
  };
}
