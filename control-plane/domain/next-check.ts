import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { healthCheckOf } from "./health-check-of.ts";
import { passFacts } from "./pass-facts.ts";
import { dueCheck } from "./schedule-checks.ts";
import { findText } from "./texts.ts";

/** The next health check of a device: due, and why; at a time (ISO); or neither, and why. */
export interface NextCheck {
  text: string;
  isDue?: boolean;
  at?: string;
}

/** When a device has its next health check, for people. What a pass would not begin is not said to be due. */
export async function nextCheck(deps: Deps, device: DeviceRecord): Promise<NextCheck> {
  const type = await passFacts(deps).deviceType(device.device_type);
  if (type.health_disabled) return { text: "its device type has none" };
  const text = await findText(deps, "device", device.hostname);
  const check = text && (await dueCheck(deps, device, text, type));
  if (check) return { text: check.reason, isDue: true };
  const withStock = type.health_check === "stock";
  if (!text || !(await healthCheckOf(deps, text, { withStock }))) {
    return { text: "none: the lab has no health check for it" };
  }
  const { due, due_jobs, jobs = 0 } = device.checked ?? {};
  if (due !== undefined) return { text: "", at: due };
  if (due_jobs !== undefined) return { text: `after ${Math.max(0, due_jobs - jobs)} more jobs` };
  return { text: "not by itself" };
}
