import type { DeviceView } from "#protocol/api.ts";
import type { Grants } from "#protocol/people.ts";
import type { DeviceReservation } from "#protocol/reservations.ts";
import type { DeviceHealth, DeviceState } from "#protocol/states.ts";
import type { Item, NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import type { CheckedRecord } from "./health-rules.ts";
import { deviceKey, deviceKeys } from "./keys.ts";
import { without } from "./without.ts";

/** A device in the table; its configuration is an item of its own. */
export interface DeviceRecord {
  hostname: string;
  device_type: string;
  worker: string;
  state: DeviceState;
  health: DeviceHealth;
  tags: string[];
  description: string;
  /** Who has it on their desk, and which group it belongs to: for people, it gives no rights. */
  physical_owner?: string;
  physical_group?: string;
  /** For whoever stands before it. */
  notes?: string;
  /** Who may what with it, beside what its device type and the lab grant (access.ts). */
  permissions?: Grants;
  /** Whose it is for a time: nobody else's job is given it (reservations.ts). */
  reservation?: DeviceReservation;
  /** The job that has the device; until the device is Idle again. */
  current_job?: number;
  checked?: CheckedRecord;
  /**
   * A pass has to look whether it needs a health check before a job may have it; "asked": somebody wants one, whatever the rules
   * say.
   */
  check_due?: "due" | "asked";
  /** The last health check that said something about it. */
  last_health_report_job?: number;
  /** Since when it is Idle: the longest idle device gets the next job. */
  idle_since: string;
}

export const deviceItem = (device: DeviceRecord): NewItem => ({
  key: deviceKey(device.hostname),
  data: device,
  keys: deviceKeys(device),
});

/** Throws `not_found`. */
export async function getDeviceItem(deps: Deps, hostname: string): Promise<Item<DeviceRecord>> {
  const item = await deps.table.get<DeviceRecord>(deviceKey(hostname));
  if (!item) throw new AppError("not_found", `there is no device ${JSON.stringify(hostname)}`);
  return item;
}

/** What people see of a device. */
export function deviceView(device: DeviceRecord): DeviceView {
  const view = without(device, "idle_since", "permissions", "checked", "check_due");
  return device.check_due === undefined ? view : { ...view, health_check_due: true };
}
