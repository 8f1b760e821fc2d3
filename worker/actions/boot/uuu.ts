import type { BootBlock } from "#protocol/job-actions.ts";
import { readUuuCommands, readUuuOptions } from "../../drivers/flashers/uuu.ts";
import { refusal } from "../../host/device-methods.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { bootBootloader } from "../bootloader/boot-bootloader.ts";
import { bootloaderOverlay } from "../bootloader/overlay.ts";
import { connectDevice, disconnectDevice } from "../connection/connect-device.ts";
import { powerOff } from "../power/power-actions.ts";
import { resetDevice } from "../power/reset-device.ts";
import { trying, unless } from "./conditional-steps.ts";
import { checkSerialAvailability, isInRomSlot, uuuBootAction } from "./uuu-run.ts";

/** Set when the board came to its bootloader's prompt by itself, and the block is content with that. */
const bootloaderWorksSlot = slot<boolean>("bootloader-works");

/** An i.MX board that is written or started by NXP's uuu through its boot ROM (DISPATCHER.md 12). */
export const uuuBoot: BootStrategy = {
  family: "boot",
  name: "uuu",
  refuses: ({ method }, job) => refusal("boot", "uuu", method, job),
  action: (block, { job }) => {
    const checks = block["skip_uuu_if_bootloader_valid"] === true;
    const uuu = uuuAction(block, job);
    return {
      name: "uuu-boot-retry",
      retries: true,
      needs: [imagesSlot],
      steps: checks ? [checkBootloader(block, job), unless(bootloaderWorksSlot, uuu)] : [uuu],
    };
  },
};

function uuuAction(block: BootBlock, job: JobContext): Action {
  const again = needsRom(block, job)
    ? [
        checkSerialAvailability(block),
        unless(isInRomSlot, corruptBootMedia(block, job)),
        resetDevice(job, block),
      ]
    : [];
  return {
    name: "uuu",
    needs: [imagesSlot],
    steps: [
      disconnectDevice,
      resetDevice(job, block),
      ...again,
      connectDevice,
      uuuBootAction(block),
      disconnectDevice,
    ],
  };
}

/** Where bcu sets the boot mode nothing else has to bring the board into its ROM (DISPATCHER.md 12). */
function needsRom(block: BootBlock, job: JobContext): boolean {
  const commands = readUuuCommands(block, job);
  const [first] = commands;
  const resetsByBcu = first?.protocol === "bcu" && first.text.trim() === "reset usb";
  return !resetsByBcu && !commands.every(({ protocol }) => protocol === "bcu");
}

/** A board that still starts from its own media is made unable to, so that its ROM waits for the host. */
function corruptBootMedia(block: BootBlock, job: JobContext): Action {
  const { corruptCommands, powersOffFirst } = readUuuOptions(job);
  const bootloader = uBootBlock(block, [...corruptCommands]);
  return {
    name: "boot-corrupt-boot-media",
    steps: [
      ...(powersOffFirst ? [powerOff] : []),
      connectDevice,
      bootloaderOverlay("u-boot", bootloader),
      bootBootloader("u-boot", bootloader, job),
      disconnectDevice,
    ],
  };
}

function checkBootloader(block: BootBlock, job: JobContext): Action {
  const bootloader = uBootBlock(block, []);
  return trying(bootloaderWorksSlot, {
    name: "check-bootloader-valid",
    steps: [
      connectDevice,
      bootloaderOverlay("u-boot", bootloader),
      bootBootloader("u-boot", bootloader, job),
      disconnectDevice,
    ],
  });
}

const uBootBlock = (block: BootBlock, commands: string[]): BootBlock => ({
  ...block,
  method: "bootloader",
  bootloader: "u-boot",
  commands,
});
