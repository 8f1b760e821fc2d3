import { dutRestarts } from "../../kernel/console-kernel.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { checkCommands } from "./command-list.ts";
import { runDeviceCommands } from "./device-commands.ts";

/** Cuts the DUT's power for a moment (`hard_reset`). What its console said before is not taken for what it says after. */
export const pduReboot: Action = power({
  name: "pdu-reboot",
  keys: ["hard_reset"],
  onFailure: "Unable to reboot",
  isRequired: true,
  before: forgetConsole,
});

/** `power_on`, after the device's `pre_power_command` (DISPATCHER.md 14). */
export const powerOn: Action = power({
  name: "power-on",
  keys: ["pre_power_command", "power_on"],
  onFailure: "Unable to power-on",
  before: async ({ connection }) => {
    const console = connection.find(consoleSlot);
    if (console) dutRestarts(console);
  },
});

/** `power_off`; a device without that command keeps its power, and nothing is wrong (DISPATCHER.md 14). */
export const powerOff: Action = power({
  name: "power-off",
  keys: ["power_off"],
  onFailure: "Unable to power-off",
});

/** `pre_power_command`: what has to happen before the DUT gets power. */
export const prePowerCommand: Action = power({
  name: "pre-power-command",
  keys: ["pre_power_command"],
  onFailure: "Unable to run pre-power-command",
});

/** `pre_os_command`: what has to happen before the DUT's system starts. */
export const preOsCommand: Action = power({
  name: "pre-os-command",
  keys: ["pre_os_command"],
  onFailure: "Unable to run pre-os-command",
});

interface Power {
  readonly name: string;
  /** Keys of the device's `commands`, in the order in which they are run; what is not set is left out. */
  readonly keys: readonly string[];
  readonly onFailure: string;
  readonly isRequired?: boolean;
  readonly before?: (context: RunContext) => Promise<void>;
}

/** Has a result when the device has any commands at all (DISPATCHER.md 7.4, 14). */
function power({ name, keys, onFailure, isRequired = false, before }: Power): Action {
  return {
    name,
    onTimeout: "Infrastructure",
    validate: async (context) => {
      const { commands } = context.job.device;
      for (const key of keys) checkCommands(context, commands?.[key], `commands.${key}`);
      if (!isRequired || keys.some((key) => commands?.[key])) return;
      const message = `${name}: the device has no commands.${keys.join(" or commands.")}`;
      throw new JobFailure("Configuration", message);
    },
    run: async (context) => {
      const { commands } = context.job.device;
      await before?.(context);
      for (const key of keys) await runDeviceCommands(context, commands?.[key], onFailure);
      if (commands) context.record({ status: "success" });
    },
  };
}

/** A prompt from before the reset must not be taken for one after it. It is in the log already. */
async function forgetConsole({ connection, signal }: RunContext): Promise<void> {
  const console = connection.find(consoleSlot);
  if (!console?.isOpen) return;
  await console.tryExpect({ everything: /[^]+/g }, { timeoutSeconds: 0, signal });
  dutRestarts(console);
}
