import { TableConflict, type Item } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { healthDueItem, type HealthDueRecord } from "./health-due-record.ts";
import { deviceKey } from "./keys.ts";
import { passFacts } from "./pass-facts.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { dueCheck } from "./schedule-checks.ts";
import { findText } from "./texts.ts";

/** A check that is due and can't begin is looked for again after this long. */
const AGAIN_MS = 60 * 60 * 1000;

/** Has the devices looked at whose last health check has got old (SCHEDULER.md 2.1). For the tick. */
export async function lookAtDueChecks(deps: Deps): Promise<void> {
  const due = { to: `${new Date(deps.system.now()).toISOString()}~` };
  for await (const item of queryAll<HealthDueRecord>(deps, "i1", "health-due", due)) {
    await markIfDue(deps, item.data.hostname);
    try {
      await lookAgain(deps, item);
    } catch (error) {
      // A check has begun meanwhile, and with it another time.
      if (!(error instanceof TableConflict)) throw error;
    }
  }
}

async function lookAgain(deps: Deps, { key, data, version }: Item<HealthDueRecord>): Promise<void> {
  const { hostname } = data;
  const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
  const again = new Date(deps.system.now() + AGAIN_MS).toISOString();
  const due = device?.data.checked?.due ?? "";
  await deps.table.transact([
    device
      ? { put: healthDueItem({ hostname, due: due > again ? due : again }), when: { version } }
      : { delete: key, when: { version } },
  ]);
}

/** Puts an idle device whose health check is due among those that the next pass looks at, and asks for that pass. */
export async function markIfDue(deps: Deps, hostname: string): Promise<void> {
  await retrying(async () => {
    const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    if (device?.data.state !== "Idle" || device.data.check_due !== undefined) return;
    const { device_type } = device.data;
    const text = await findText(deps, "device", hostname);
    const type = await passFacts(deps).deviceType(device_type);
    if (!text || !(await dueCheck(deps, device.data, text, type))) return;
    const record: DeviceRecord = { ...device.data, check_due: "due" };
    await deps.table.transact([{ put: deviceItem(record), when: { version: device.version } }]);
    await deps.signals.requestPass(device_type);
  });
}
