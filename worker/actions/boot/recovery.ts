import type { BootBlock } from "#protocol/job-actions.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { checkCommands } from "../power/command-list.ts";
import { runDeviceCommands } from "../power/device-commands.ts";
import { powerOff, powerOn } from "../power/power-actions.ts";

/** Takes a board into its recovery mode, or out of it, while it has no power (DISPATCHER.md 12). */
export const recoveryBoot: BootStrategy = {
  family: "boot",
  name: "recovery",
  refuses: ({ method }, { device }) => {
    if (method !== "recovery") return `the method is ${method}`;
    const missing = ["recovery_mode", "recovery_exit"].filter((key) => !device.commands?.[key]);
    if (missing.length === 0) return undefined;
    return `the device has no commands.${missing.join(" and no commands.")}`;
  },
  action: (block) => ({
    name: "recovery-boot",
    steps: [powerOff, switchRecovery(block), powerOn],
  }),
};

const KEYS: Readonly<Record<string, string>> = {
  recovery: "recovery_mode",
  exit: "recovery_exit",
};

function switchRecovery({ commands: asked }: BootBlock): Action {
  const key = typeof asked === "string" && Object.hasOwn(KEYS, asked) ? (KEYS[asked] ?? "") : "";
  return {
    name: "switch-recovery",
    validate: async (context) => {
      if (key !== "") {
        return checkCommands(context, context.job.device.commands?.[key], `commands.${key}`);
      }
      const message = `boot recovery: commands: expected recovery or exit, not ${JSON.stringify(asked)}`;
      throw new JobFailure("Job", message);
    },
    run: (context) =>
      runDeviceCommands(
        context,
        context.job.device.commands?.[key],
        `Unable to switch to ${key.replace("_", " ")}`,
      ),
  };
}
