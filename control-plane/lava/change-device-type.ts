import type { Deps } from "../domain/deps.ts";
import { getDevice, putDevice } from "../domain/devices.ts";
import type { Principal } from "../domain/principal.ts";
import { getText } from "../domain/texts.ts";

/** A device of another type is the device once more: its text must be good for it there. Throws `not_found`, `invalid`, `forbidden`. */
export async function changeDeviceType(
  deps: Deps,
  principal: Principal,
  hostname: string,
  device_type: string,
): Promise<void> {
  const { worker, tags, description } = await getDevice(deps, principal, hostname);
  const { text, format = "dictionary" } = await getText(deps, "device", hostname);
  const comment = `of type ${device_type}`;
  const device = { device_type, worker, tags, description, comment, [format]: text };
  await putDevice(deps, principal, hostname, device);
}
