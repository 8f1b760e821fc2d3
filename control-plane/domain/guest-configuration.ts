import { asMapping } from "#protocol/schema-parts.ts";
import { writeYaml } from "#protocol/write-yaml.ts";

/**
 * The configuration for a job that has no device but connects to another's (DEVICE.md 2.4, SCHEDULER.md 3): that of the host as far
 * as it is about methods and time-outs. Nothing of it can switch the host or open its console, and there is no kernel to wait for.
 */
export function guestConfiguration(host: unknown): string {
  const { hostname, devicetype, constants, timeouts, actions } = asMapping(host) ?? {};
  const { deploy, boot } = asMapping(actions) ?? {};
  return writeYaml({
    ...(hostname === undefined ? {} : { hostname }),
    ...(devicetype === undefined ? {} : { devicetype }),
    parameters: {},
    constants: { ...asMapping(constants), "kernel-start-message": "" },
    timeouts: { actions: {}, connections: {}, ...asMapping(timeouts) },
    actions: { deploy: methodsOf(deploy), boot: methodsOf(boot) },
  });
}

function methodsOf(block: unknown): Record<string, unknown> {
  const { connections, methods = {} } = asMapping(block) ?? {};
  return { ...(connections === undefined ? {} : { connections }), methods };
}
