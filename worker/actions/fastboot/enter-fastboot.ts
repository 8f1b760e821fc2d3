import { setTimeout as sleep } from "node:timers/promises";
import type { BootBlock } from "#protocol/job-actions.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { typeCommands } from "../bootloader/commands.ts";
import { bootloaderInterrupt } from "../bootloader/interrupt.ts";
import { bootloaderSettings } from "../bootloader/methods.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { prePowerCommand } from "../power/power-actions.ts";
import { resetDevice } from "../power/reset-device.ts";
import { checkTool, runBoardTool, runFastboot, type ToolBlock } from "./board-tool.ts";
import { checkBoard, detectedSerialSlot, fastbootBoard, waitBoard } from "./fastboot-board.ts";

export interface EntryOptions {
  /** `pre-power-command` before the reset: deploying does, booting doesn't. */
  readonly prePower?: boolean;
  /** `wait-device-boardid` where the board is asked to go to fastboot: booting does. */
  readonly waits?: boolean;
  /** The block's own way to reboot, for a device without `hard_reset`. */
  readonly block: ToolBlock;
}

/**
 * How a board comes to fastboot: by U-Boot's command, by a reset, or by asking what runs on it
 * (DISPATCHER.md 11, 12).
 */
export function enterFastboot(job: JobContext, options: EntryOptions): Action[] {
  const { block, prePower = false, waits = false } = options;
  const { viaUboot, isDetected } = fastbootBoard(job);
  const detect = isDetected ? [detectFastbootDevice(block)] : [];
  if (viaUboot) return [connectDevice, ubootEnterFastboot(job, block), ...detect];
  if (job.device.commands?.["hard_reset"]) {
    const first = prePower ? [prePowerCommand] : [];
    return [connectDevice, ...first, resetDevice(job, block), ...detect];
  }
  return [...(waits ? [waitBoard] : []), askForFastboot(block)];
}

/** Interrupts U-Boot and types the commands that end in fastboot; the last of them doesn't come back. */
export const ubootEnterFastboot = (job: JobContext, block: Partial<BootBlock>): Action => ({
  name: "uboot-enter-fastboot",
  retries: true,
  validate: async () => void ubootCommands(job),
  steps: [resetDevice(job, block), bootloaderInterrupt("u-boot")],
  runAfter: async (context) => {
    const settings = bootloaderSettings("u-boot", job);
    await typeCommands(context, settings, ubootCommands(job), { final: undefined });
  },
});

/** @throws JobFailure Configuration when the device doesn't say them. */
function ubootCommands({ device }: JobContext): string[] {
  const methods = device.actions.deploy.methods as Record<string, unknown> | null;
  const uboot = methods?.["u-boot"] as
    | { parameters?: { fastboot?: { commands?: unknown } } }
    | null
    | undefined;
  const commands = listOfTexts(uboot?.parameters?.fastboot?.commands);
  if (commands.length > 0) return commands;
  throw new JobFailure(
    "Configuration",
    "the device has fastboot_via_uboot but no actions.deploy.methods.u-boot.parameters.fastboot.commands: set fastboot_deploy_uboot_commands in its dictionary",
  );
}

/** Brings a running board to fastboot: Android by adb, a board that is in fastboot already by itself. */
export const askForFastboot = (block: ToolBlock): Action => ({
  name: "enter-fastboot-action",
  onTimeout: "Infrastructure",
  validate: async (context) => {
    await checkBoard(context);
    await checkTool(context, block, "adb");
    await checkTool(context, block, "fastboot");
  },
  run: async (context) => {
    const { adbSerial } = fastbootBoard(context.job);
    const { output } = await runBoardTool(context, block, ["adb", "devices"]);
    if (listed(output).includes(adbSerial)) {
      await runBoardTool(context, block, ["adb", "-s", adbSerial, "reboot-bootloader"]);
    } else {
      await runFastboot(context, block, ["reboot-bootloader"]);
    }
    context.record({ status: "success" });
  },
});

/** Serial numbers in what `adb devices` or `fastboot devices` says. */
const listed = (output: string): string[] =>
  output
    .split("\n")
    .flatMap(
      (line) => /^(\S+)\s+(?:device|recovery|fastbootd?|unauthorized)\b/.exec(line)?.[1] ?? [],
    );

const FIRST_LOOK_SECONDS = 3;
const BETWEEN_LOOKS_SECONDS = 3;
const LOOKS = 10;

/**
 * Finds the serial number of the only fastboot device there is (DISPATCHER.md 11.3).
 *
 * @throws JobFailure Job when there are several, FastbootDeviceNotFound when there is none.
 */
export const detectFastbootDevice = (block: ToolBlock): Action => ({
  name: "detect-fastboot-device",
  onTimeout: "Infrastructure",
  gives: [detectedSerialSlot],
  validate: (context) => checkTool(context, block, "fastboot"),
  run: async (context) => {
    const { slots, log } = context;
    slots.clear(detectedSerialSlot);
    await pause(context, FIRST_LOOK_SECONDS);
    for (let look = 1; look <= LOOKS; look++) {
      const { output } = await runBoardTool(context, block, ["fastboot", "devices"]);
      const [serial, ...more] = listed(output);
      if (more.length > 0) {
        const found = [serial, ...more].join(", ");
        const message = `Multiple fastboot devices found: ${found}; give the device its fastboot_serial_number`;
        throw new JobFailure("Job", message);
      }
      if (serial !== undefined) {
        log.info(`found the fastboot device ${serial}`);
        return slots.put(detectedSerialSlot, serial);
      }
      if (look < LOOKS) await pause(context, BETWEEN_LOOKS_SECONDS);
    }
    const seconds = FIRST_LOOK_SECONDS + (LOOKS - 1) * BETWEEN_LOOKS_SECONDS;
    const message = `no fastboot device appeared within ${seconds} s after the reset`;
    throw new JobFailure("FastbootDeviceNotFound", message);
  },
});

const pause = ({ signal }: RunContext, seconds: number): Promise<void> =>
  sleep(seconds * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
