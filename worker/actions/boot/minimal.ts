import { refusal } from "../../host/device-methods.ts";
import type { BootBlock } from "#protocol/job-actions.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { loginSteps } from "../login/login.ts";
import { preOsCommand, prePowerCommand } from "../power/power-actions.ts";
import { resetDevice } from "../power/reset-device.ts";

/** A board that boots by itself: connect, reset it, log in (DISPATCHER.md 12). */
export const minimalBoot: BootStrategy = {
  family: "boot",
  name: "minimal",
  refuses: ({ method }, job) => refusal("boot", "minimal", method, job),
  action: (block, context) => ({
    name: "minimal-boot",
    retries: true,
    gives: [consoleSlot],
    steps: [connectDevice, ...powerSteps(block, context.job), ...loginSteps(block, context)],
  }),
};

/** What the block asks for by its flags; a reset unless it is declined. */
const powerSteps = (block: BootBlock, job: JobContext): Action[] => [
  ...(block["pre_power_command"] === true ? [prePowerCommand] : []),
  ...(block["pre_os_command"] === true ? [preOsCommand] : []),
  ...(block["reset"] === false ? [] : [resetDevice(job, block)]),
];
