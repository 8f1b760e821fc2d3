import { readContext } from "#protocol/job-definition.ts";
import type { PlanAnswer } from "#protocol/plan.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { renderStored } from "./device-texts.ts";
import { guestConfiguration } from "./guest-configuration.ts";
import { faultText } from "./rendered-device.ts";

/** What is longer takes seconds to be read, and a plan is asked for by everybody who sees the job. */
export const MAX_PLANNED_CHARS = 256 * 1024;
export const TOO_LARGE = "the job is too large for its plan to be made";

/**
 * What a worker would do for a job on a device, as it is today or as it was for the job: its actions as a tree, with time-outs; or why it could not begin.
 * `definition` is the text of a single job, or of one member of a group as `readDefinition` gives it; its secrets are not put in. A
 * guest runs beside the device's own job. Nothing is stored or sent. Asks nobody's permission: callers make sure that whoever asks
 * may see the job and the device.
 */
export async function planJob(
  deps: Deps,
  {
    definition,
    device,
    kept,
    isGuest = false,
  }: {
    definition: string;
    device: Pick<DeviceRecord, "hostname" | "device_type">;
    /** What the device's configuration was for the job; when not given it is rendered. */
    kept?: string | undefined;
    isGuest?: boolean;
  },
): Promise<PlanAnswer> {
  const { hostname, device_type } = device;
  if (definition.length > MAX_PLANNED_CHARS) return { problem: TOO_LARGE };
  const of = { definition, device_hostname: isGuest ? "" : hostname, device_type };
  if (kept !== undefined) return deps.planner.plan({ ...of, device: kept });
  const context = readContext(definition);
  const rendered = await renderStored(deps, device, context);
  const [fault] = rendered?.faults ?? [];
  if (!rendered) return { problem: `device ${hostname} has no configuration` };
  if (fault) return { problem: `device ${hostname} does not render: ${faultText(fault)}` };
  const text = isGuest ? guestConfiguration(rendered.value) : rendered.text;
  return deps.planner.plan({ ...of, device: text });
}
