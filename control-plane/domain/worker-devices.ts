import type { WorkerDevices } from "#protocol/worker-devices.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { requireWorker, type Principal } from "./principal.ts";
import { devicesOfWorker, readWorkerSettings } from "./worker-record.ts";

/** The devices of the worker that asks, with their configurations, and its settings; a device that doesn't render says why. */
export async function workerDevices(deps: Deps, principal: Principal): Promise<WorkerDevices> {
  const { name: worker } = requireWorker(principal);
  const [{ dispatcher }, devices] = await Promise.all([
    readWorkerSettings(deps, worker),
    devicesOfWorker(deps, worker),
  ]);
  const told = devices
    .filter(({ health }) => health !== "Retired")
    .map((device) => ofDevice(deps, device));
  return { worker, dispatcher, devices: await Promise.all(told) };
}

async function ofDevice(
  deps: Deps,
  { hostname, device_type, current_job }: DeviceRecord,
): Promise<WorkerDevices["devices"][number]> {
  const { renderStored } = await import("./device-texts.ts");
  const { faultText } = await import("./rendered-device.ts");
  const rendered = await renderStored(deps, { hostname, device_type });
  const device = { hostname, device_type, is_busy: current_job !== undefined };
  if (!rendered) return { ...device, problem: "it has no configuration" };
  const [fault] = rendered.faults;
  if (fault) return { ...device, problem: faultText(fault) };
  return { ...device, configuration: rendered.value as Record<string, unknown> };
}
