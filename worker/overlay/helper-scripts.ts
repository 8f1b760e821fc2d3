import { distroPackageScripts, genericPackageScripts } from "./scripts/packages.ts";
import { multinodeScripts, type GroupFacts } from "./scripts/multinode.ts";
import { processScripts } from "./scripts/processes.ts";
import { signalScripts } from "./scripts/signals.ts";
import { systemScripts, type DeviceFacts } from "./scripts/system.ts";

/**
 * The files of `$L/bin` by name, for a DUT whose test shell is `shell` (a path) and whose deployment
 * said `os`; `group` in a multinode job. Plain POSIX sh: dash, busybox ash and bash run them.
 */
export function helperScripts(
  shell: string,
  os: string | undefined,
  facts: DeviceFacts,
  group?: GroupFacts,
): ReadonlyMap<string, string> {
  const bodies = {
    ...signalScripts,
    ...processScripts,
    ...genericPackageScripts,
    ...systemScripts(facts),
    ...(group ? multinodeScripts(group) : {}),
    ...(os !== undefined && Object.hasOwn(distroPackageScripts, os)
      ? distroPackageScripts[os]
      : {}),
  };
  return new Map(Object.entries(bodies).map(([name, body]) => [name, `#!${shell}\n\n${body}`]));
}
