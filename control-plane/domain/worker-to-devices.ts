import type { DeviceHealth, WorkerHealth } from "#protocol/states.ts";
import { deviceChange, type By } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, getDeviceItem } from "./device-record.ts";
import { withMark } from "./health-rules.ts";
import { retrying } from "./retrying.ts";
import { devicesOfWorker, type WorkerRecord } from "./worker-record.ts";

/**
 * What a worker's health does to that of its devices (SCHEDULER.md 1.2). To be called before the worker is written: when it is
 * cut off, the worker still has its old health, and whoever sets the new one again completes it.
 */
export async function passOn(
  deps: Deps,
  { name, health }: WorkerRecord,
  before: WorkerHealth,
  by: By,
): Promise<void> {
  const after = (device: DeviceHealth): DeviceHealth => {
    if (health === "Active" && before === "Maintenance" && device === "Good") return "Unknown";
    return health === "Retired" && before !== "Retired" && device !== "Bad" ? "Retired" : device;
  };
  for (const { hostname } of await devicesOfWorker(deps, name)) {
    await retrying(async () => {
      const { data, version } = await getDeviceItem(deps, hostname);
      if (after(data.health) === data.health) return;
      const now = deps.system.now();
      const record = withMark(data, { ...data, health: after(data.health) }, now);
      const reason = `worker ${name} is ${health}`;
      await deps.table.transact([
        { put: deviceItem(record), when: { version } },
        ...deviceChange(deps, data, record, { ...by, reason }),
      ]);
    });
  }
}
