import type { DeviceView } from "#protocol/api.ts";
import { AppError } from "./app-error.ts";
import { deviceChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, deviceView, type DeviceRecord } from "./device-record.ts";
import { extendedTemplate, healthCheckOf } from "./health-check-of.ts";
import { passFacts } from "./pass-facts.ts";
import { requireUser, type Principal } from "./principal.ts";
import { retrying } from "./retrying.ts";
import { findText } from "./texts.ts";
import { getChangeableDevice } from "./visible.ts";

/**
 * Makes a device's next job a health check, Pumice's own where the lab has none: its health is Unknown from now on, as nobody
 * knows better (SCHEDULER.md 2.1). Throws `not_found`, or `conflict` when there is none, its type has them switched off, or the
 * device is Retired; again does nothing.
 */
export async function forceHealthCheck(
  deps: Deps,
  principal: Principal,
  hostname: string,
  { reason }: { reason?: string | undefined } = {},
): Promise<DeviceView> {
  const user = requireUser(principal);
  const device = await retrying(async () => {
    const { data, version } = await getChangeableDevice(deps, user, hostname);
    await requireCheck(deps, data);
    const record: DeviceRecord = {
      ...data,
      check_due: "asked",
      health: data.health === "Looping" ? "Looping" : "Unknown",
    };
    const why = reason ?? "a health check was asked for";
    await deps.table.transact([
      { put: deviceItem(record), when: { version } },
      ...deviceChange(deps, data, record, { who: user.name, reason: why }),
    ]);
    return record;
  });
  await deps.signals.requestPass(device.device_type);
  return deviceView(deps, device);
}

async function requireCheck(
  deps: Deps,
  { hostname, device_type, health }: DeviceRecord,
): Promise<void> {
  if (health === "Retired") {
    throw new AppError("conflict", `device ${hostname} is Retired: set another health first`);
  }
  const type = await passFacts(deps).deviceType(device_type);
  if (type.health_disabled) {
    const message = `device type ${device_type} has its health checks switched off (health_disabled)`;
    throw new AppError("conflict", message);
  }
  const text = await findText(deps, "device", hostname);
  if (text && (await healthCheckOf(deps, text, { withStock: true }))) return;
  const template = text && extendedTemplate(text);
  const message =
    template === undefined
      ? `there is no health check for ${hostname}: its configuration extends no template by whose name one could be found; give it a dictionary`
      : `there is no health check for ${hostname}: put one as health check ${template}, the template that its dictionary extends`;
  throw new AppError("conflict", message);
}
