import type { DeviceConfiguration } from "#protocol/device-configuration.ts";
import type { JobAction } from "#protocol/job-actions.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { strategyAsked } from "#protocol/job-strategies.ts";

type Path = (string | number)[];
export interface Misfit {
  path: Path;
  message: string;
}

/** What a job asks that a device of this configuration, or Pumice's runner, can't do. Empty when it fits. */
export function checkJobFits(
  definition: JobDefinition,
  configuration: DeviceConfiguration,
): Misfit[] {
  const misfits = [...checkArchitecture(definition, configuration)];
  for (const [index, action] of definition.actions.entries()) {
    const { deploy, boot, test } = action;
    const where = deploy ? ["deploy", "to"] : boot ? ["boot", "method"] : ["command", "name"];
    if (test) continue;
    const path: Path = ["actions", index, ...where];
    misfits.push(...refusals(action, configuration).map((message) => ({ path, message })));
  }
  return misfits;
}

/** Why the device can't do what the block asks for. */
const refusals = (action: JobAction, configuration: DeviceConfiguration): string[] =>
  strategyAsked(action, configuration)?.reasons ?? [];

/** QEMU devices run what their `available_architectures` name, and the job must say which (DISPATCHER.md 12). */
function checkArchitecture(
  definition: JobDefinition,
  configuration: DeviceConfiguration,
): Misfit[] {
  const index = definition.actions.findIndex(({ boot }) => boot?.method === "qemu");
  if (index < 0) return [];
  const available = configuration.available_architectures ?? [];
  const known = available.length > 0 ? available.join(", ") : "what available_architectures names";
  const asked = definition.context?.["arch"];
  if (asked === undefined) {
    const message = `boot method qemu needs context.arch: expected one of ${known}`;
    return [{ path: ["actions", index, "boot", "method"], message }];
  }
  if (available.includes(String(asked))) return [];
  const message = `the device has no architecture ${quoted(String(asked))}; expected one of ${known}`;
  return [{ path: ["context", "arch"], message }];
}

const quoted = (word: string): string => JSON.stringify(word);
