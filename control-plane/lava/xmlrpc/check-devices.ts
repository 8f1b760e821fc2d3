import { pause } from "../../domain/pause.ts";
import { everyDevice, isInUse } from "../every.ts";
import { Fault } from "./fault.ts";
import type { Call } from "./method.ts";
import type { XmlRpcValue } from "./xml-value.ts";

/** Whether devices render to something that a worker can use, as YAML. */
export async function checkDevices(call: Call, wanted: string | undefined): Promise<XmlRpcValue> {
  const { deviceConfig } = await import("../../domain/device-texts.ts");
  const devices = (await everyDevice(call)).filter(
    (one) =>
      isInUse(one) && (wanted === undefined || [one.hostname, one.device_type].includes(wanted)),
  );
  if (wanted !== undefined && devices.length === 0) {
    const message = `No devices found with hostname or device type name ${wanted}, visible by the user`;
    throw new Fault(404, message);
  }
  const verdicts: Record<string, object> = {};
  for (const { hostname } of devices) {
    await pause();
    const [found] = await Promise.allSettled([deviceConfig(call.deps, call.principal, hostname)]);
    verdicts[hostname] =
      found.status === "fulfilled" ? { Valid: null } : { Invalid: (found.reason as Error).message };
  }
  const { blockYaml } = await import("../shapes/block-yaml.ts");
  return new TextEncoder().encode(blockYaml(verdicts));
}
