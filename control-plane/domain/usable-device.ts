import { TableConflict, type Item } from "../ports/table.ts";
import { deviceChange, LAB } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { findText, type TextRecord } from "./texts.ts";

/** A device's text, if a worker can use what it renders to whatever the job; else the device becomes Bad (SCHEDULER.md 1.2). */
export async function usableText(
  deps: Deps,
  device: Item<DeviceRecord>,
): Promise<TextRecord | undefined> {
  const { hostname, device_type } = device.data;
  // Loaded when there is a device to render.
  const { labTemplates } = await import("./own-templates.ts");
  const { faultText, renderedDevice } = await import("./rendered-device.ts");
  const text = await findText(deps, "device", hostname);
  const source = text && { ...text, hostname, device_type, format: text.format ?? "dictionary" };
  const [fault] = source ? renderedDevice(source, await labTemplates(deps)).faults : [];
  if (text && !fault) return text;
  const what = fault ? faultText(fault) : "it has none";
  await setBad(deps, device, `invalid device configuration: ${what}`);
  return undefined;
}

/** A device that is of no use as it is gets no job until somebody has looked at it. */
export async function setBad(
  deps: Deps,
  { data, version }: Item<DeviceRecord>,
  reason: string,
): Promise<void> {
  const record: DeviceRecord = { ...data, health: "Bad" };
  try {
    await deps.table.transact([
      { put: deviceItem(record), when: { version } },
      ...deviceChange(deps, data, record, { who: LAB, reason }),
    ]);
  } catch (error) {
    if (error instanceof TableConflict) return;
    throw error;
  }
  const { hostname, health: before } = data;
  deps.system.log("device health set", { hostname, before, health: "Bad", reason });
}
