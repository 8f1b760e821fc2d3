import type { DeviceView } from "#protocol/api.ts";
import type { Grants } from "#protocol/people.ts";
import type { DeviceReservation } from "#protocol/reservations.ts";
import type { DeviceHealth, DeviceState } from "#protocol/states.ts";
import type { Item, NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import type { CheckedRecord } from "./health-rules.ts";
import { deviceKey, deviceKeys } from "./keys.ts";
import { holderOf } from "./reservation-record.ts";
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
  /** The jobs that it had last (recent-jobs.ts). */
  recent?: string;
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

/** What people see of a device; a reservation counts by its time, whether or not the tick has noted its end. */
export function deviceView({ system }: Deps, device: DeviceRecord): DeviceView {
  const isHeld = holderOf(device, system.now()) !== undefined;
  const known = isHeld ? device : without(device, "reservation");
  const view = without(known, "idle_since", "permissions", "checked", "check_due", "recent");
  return device.check_due === undefined ? view : { ...view, health_check_due: true };
}

/** What is written about a device for people. */
export const DEVICE_PAPERS = ["physical_owner", "physical_group", "notes"] as const;

/** The device with those that are given; an empty one takes away what there was. */
export function withPapers(
  device: DeviceRecord,
  given: { readonly [F in (typeof DEVICE_PAPERS)[number]]?: string | undefined },
): DeviceRecord {
  const record = { ...device };
  for (const field of DEVICE_PAPERS) {
    const text = given[field];
    if (text === "") delete record[field];
    else if (text !== undefined) record[field] = text;
  }
  return record;
}

/** What is told of a device's change. Notes may be long: the audit log says that they changed. */
export function aboutDevice({ system }: Deps, device: DeviceRecord) {
  const { worker, description, physical_owner, physical_group, notes } = device;
  const mark = notes === undefined ? undefined : `text ${system.hash(notes).slice(0, 8)}`;
  return { worker, description, physical_owner, physical_group, notes: mark };
}
