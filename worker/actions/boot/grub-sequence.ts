import type { BootBlock } from "#protocol/job-actions.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { StrategyContext } from "../../pipeline/strategy.ts";
import { untilDeadline } from "../bootloader/interrupt.ts";
import { loginSteps } from "../login/login.ts";
import { exportDeviceEnv, expectShell } from "../login/shell-session.ts";
import { loginOrInstaller } from "./installer-wait.ts";

/**
 * A board that comes to its GRUB by itself: what the device's `sequence` names, in its order, then the login
 * (DISPATCHER.md 12).
 */
export function grubSequence(
  sequence: readonly unknown[],
  block: BootBlock,
  context: StrategyContext,
): Action {
  const items: Readonly<Record<string, () => Action[]>> = {
    "wait-fastboot-interrupt": () => [waitFastbootInterrupt],
    "auto-login": () => loginSteps(block, context).slice(0, 1),
    "shell-session": () => [expectShell],
    "export-env": () => [exportDeviceEnv],
  };
  const steps = sequence.flatMap((item) => {
    const make = Object.hasOwn(items, String(item)) ? items[String(item)] : undefined;
    if (make) return make();
    const known = Object.keys(items).join(", ");
    const message = `grub.sequence of the device: ${JSON.stringify(item)} is none of ${known}`;
    throw new JobFailure("Configuration", message);
  });
  return {
    name: "grub-sequence-action",
    retries: true,
    steps: [...steps, ...loginOrInstaller(block, context)],
  };
}

/** Fastboot that waits for a host is left with a key, so that the board goes on to its GRUB. */
const waitFastbootInterrupt: Action = {
  name: "wait-fastboot-interrupt",
  needs: [consoleSlot],
  validate: async ({ job }) => void fastbootParameter("interrupt_prompt", job),
  run: async (context) => {
    const { job, connection } = context;
    const console = connection.take(consoleSlot);
    const prompt = pythonRegex(fastbootParameter("interrupt_prompt", job));
    await console.expect({ prompt }, untilDeadline(context));
    await console.send(fastbootParameter("interrupt_string", job));
  },
};

/** @throws JobFailure Configuration when the device's deploy method fastboot does not say it. */
function fastbootParameter(key: string, { device }: JobContext): string {
  const method = (device.actions.deploy.methods as Record<string, unknown> | null)?.["fastboot"];
  const value = (method as Record<string, unknown> | null | undefined)?.[key];
  if (typeof value === "string" && value !== "") return value;
  const message = `the device has no actions.deploy.methods.fastboot.${key}: wait-fastboot-interrupt of its grub.sequence needs it`;
  throw new JobFailure("Configuration", message);
}
