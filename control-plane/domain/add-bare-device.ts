import type { DeviceView } from "#protocol/api.ts";
import type { DeviceHealth } from "#protocol/states.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { checkDeviceText } from "./device-texts.ts";
import { putDevice } from "./devices.ts";
import { deviceKey } from "./keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";

/** What it is until it has a dictionary: nothing that a job could use. */
const NOTHING = [
  "# This device has no dictionary yet: no job can run on it.",
  "constants: {}",
  "parameters: {}",
  "actions: {deploy: {methods: {}}, boot: {methods: {}}}",
  "timeouts: {actions: {}, connections: {}}",
  "",
].join("\n");

/**
 * Makes a device whose dictionary is still to come, as LAVA's API does. It extends its type's template if that is enough for a
 * device; else it can do nothing yet, and is in Maintenance until somebody says otherwise. Throws `conflict` for one that is
 * there, and what `putDevice` throws.
 */
export async function addBareDevice(
  deps: Deps,
  principal: Principal,
  {
    hostname,
    device_type,
    health,
    ...rest
  }: {
    hostname: string;
    device_type: string;
    worker: string;
    description: string;
    health?: DeviceHealth | undefined;
    tags?: string[];
  },
): Promise<DeviceView> {
  const user = requireAdmin(principal);
  if (await deps.table.get(deviceKey(hostname))) {
    throw new AppError("conflict", `there is a device ${hostname} already`);
  }
  const dictionary = `{% extends '${device_type}.jinja2' %}\n`;
  const isEnough = await renders(deps, { hostname, device_type, text: dictionary });
  const text = isEnough ? { dictionary } : { configuration: NOTHING };
  const usual = isEnough ? "Unknown" : "Maintenance";
  return putDevice(deps, user, hostname, {
    ...{ device_type, tags: [], comment: "", ...text, ...rest },
    health: health ?? usual,
  });
}

async function renders(
  deps: Deps,
  device: { hostname: string; device_type: string; text: string },
): Promise<boolean> {
  try {
    await checkDeviceText(deps, { ...device, format: "dictionary" });
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "invalid") return false;
    throw error;
  }
}
