import type { BootBlock } from "#protocol/job-actions.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { connectDevice, resetConnection } from "../connection/connect-device.ts";
import { resetDevice } from "../power/reset-device.ts";
import { bootloaderCommands } from "./commands.ts";
import { bootloaderInterrupt } from "./interrupt.ts";
import type { BootloaderName } from "./methods.ts";

/**
 * `boot-bootloader` (DISPATCHER.md 12): brings the DUT to its bootloader's prompt and types the block's commands there.
 * Whatever they start is not waited for.
 */
export const bootBootloader = (
  method: BootloaderName,
  block: BootBlock,
  job: JobContext,
): Action => ({
  name: "boot-bootloader",
  gives: [consoleSlot],
  steps: [
    block["reset_connection"] === false ? connectDevice : resetConnection,
    ...(isReset(block) ? [resetDevice(job, block)] : []),
    bootloaderInterrupt(method),
    bootloaderCommands(method, block, { awaitsFinal: false }),
  ],
});

const isReset = (block: BootBlock): boolean =>
  block["reset_device"] !== false && block["reset"] !== false;
