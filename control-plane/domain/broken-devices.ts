import type { Loader } from "../templates/frame.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { deviceKey } from "./keys.ts";
import { pause } from "./pause.ts";
import { faultText, renderedDevice, type DeviceSource } from "./rendered-device.ts";
import { listTexts } from "./texts.ts";

/** So many devices are tried when a template changes; each costs some milliseconds. */
const MAX_DEVICES_TRIED = 200;
/** Rendered before others get their turn. */
const AT_ONCE = 10;

/** The first device that renders with the templates `before` and not with those `after`; a warning when not all were tried. */
export async function findBrokenDevice(
  deps: Deps,
  before: Loader,
  after: Loader,
): Promise<{ broken?: { hostname: string; reason: string }; warning?: string }> {
  let tried = 0;
  for await (const { name: hostname, text, format } of listTexts(deps, "device")) {
    if (format !== "dictionary") continue;
    if (tried === MAX_DEVICES_TRIED) {
      const warning = `only the first ${tried} devices with a dictionary were tried with it`;
      return { warning };
    }
    if (++tried % AT_ONCE === 0) await pause();
    const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    const device_type = device?.data.device_type ?? "";
    const reason = whyBroken({ hostname, device_type, text, format }, before, after);
    if (reason !== undefined) return { broken: { hostname, reason } };
  }
  return {};
}

/** Why a device that renders with the templates `before` does not with those `after`. */
export function whyBroken(device: DeviceSource, before: Loader, after: Loader): string | undefined {
  const [fault] = renderedDevice(device, after).faults;
  if (!fault || renderedDevice(device, before).faults.length > 0) return undefined;
  return faultText(fault);
}
