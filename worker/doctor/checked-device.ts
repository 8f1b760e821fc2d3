import type { WorkerDevices } from "#protocol/worker-devices.ts";

/** A device of this worker, as the control plane tells of it. */
export type CheckedDevice = WorkerDevices["devices"][number];

const mappingAt = (value: unknown, ...keys: string[]): Readonly<Record<string, unknown>> => {
  const found = keys.reduce<unknown>(
    (at, key) => (at as Record<string, unknown> | null | undefined)?.[key],
    value,
  );
  return typeof found === "object" && found !== null ? (found as Record<string, unknown>) : {};
};

/** Names of the deploy and boot methods of a device, and the ways of each (`nfs` of `u-boot`). */
export function methodsOf({ configuration }: CheckedDevice): ReadonlySet<string> {
  const deploy = Object.keys(mappingAt(configuration, "actions", "deploy", "methods"));
  const boot = mappingAt(configuration, "actions", "boot", "methods");
  const ways = Object.values(boot).flatMap((method) =>
    typeof method === "object" && method !== null ? Object.keys(method) : [],
  );
  return new Set([...deploy, ...Object.keys(boot), ...ways]);
}

/** The methods of all of them. */
export const allMethods = (devices: readonly CheckedDevice[]): ReadonlySet<string> =>
  new Set(devices.flatMap((device) => [...methodsOf(device)]));

/** The mapping `commands` of a device. */
export const commandsOf = ({ configuration }: CheckedDevice): Readonly<Record<string, unknown>> =>
  mappingAt(configuration, "commands");

/** The parameters of a boot method. */
export const bootParameters = (
  { configuration }: CheckedDevice,
  method: string,
): Readonly<Record<string, unknown>> =>
  mappingAt(configuration, "actions", "boot", "methods", method, "parameters");
