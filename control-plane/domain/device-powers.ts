import { accessOf, mayAdministerDevice, mayChangeDevice, maySubmitTo } from "./access.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { requireReader, type Principal } from "./principal.ts";
import { getVisibleDevice, sightBy } from "./visible.ts";

/** What somebody may do with a device: what a page offers them. The calls themselves ask again. */
export interface DevicePowers {
  submits: boolean;
  changes: boolean;
  administers: boolean;
}

/** Throws `not_found` for who may not see the device. */
export async function devicePowers(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<{ device: DeviceRecord; powers: DevicePowers }> {
  const { data: device } = await getVisibleDevice(deps, principal, hostname);
  const access = await accessOf(deps, requireReader(principal));
  const type = await sightBy(deps, access).typeNamed(device.device_type);
  const powers = {
    submits: maySubmitTo(access, device, type),
    changes: mayChangeDevice(access, device, type),
    administers: mayAdministerDevice(access, device, type),
  };
  return { device, powers };
}
