import type { BootBlock } from "#protocol/job-actions.ts";
import { refusal } from "../../host/device-methods.ts";
import type { Action } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { bootloaderCommands } from "../bootloader/commands.ts";
import { bootloaderInterrupt } from "../bootloader/interrupt.ts";
import { methodParameters } from "../bootloader/methods.ts";
import { bootloaderOverlay, fromMedia } from "../bootloader/overlay.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { loginSteps } from "../login/login.ts";
import { resetDevice } from "../power/reset-device.ts";
import { flashUbootUms } from "./uboot-ums.ts";

/** A board that U-Boot starts (DISPATCHER.md 12): from the network, a medium, a second bank, or flashed over USB first. */
export const ubootBoot: BootStrategy = {
  family: "boot",
  name: "u-boot",
  refuses: ({ method }, job) => refusal("boot", "u-boot", method, job),
  action: (block, context) => ({
    name: "uboot-action",
    retries: true,
    gives: [consoleSlot],
    steps: [
      fromMedia("uboot-from-media"),
      bootloaderOverlay("u-boot", block),
      connectDevice,
      {
        name: "uboot-commands",
        gives: [consoleSlot],
        steps: [
          ...(block["reset"] === false ? [] : [resetDevice(context.job, block)]),
          bootloaderInterrupt("u-boot"),
          ...commandSteps(block, context),
          ...loginSteps(block, context),
        ],
      },
    ],
  }),
};

function commandSteps(block: BootBlock, { job }: StrategyContext): Action[] {
  const parameters = methodParameters("u-boot", job);
  if (parameters["uboot_ums_flash"] === true) {
    return [
      bootloaderCommands("u-boot", block, { awaitsFinal: false }),
      ...flashUbootUms(block, job),
      resetDevice(job, block),
    ];
  }
  if (!parameters["uboot_altbank"]) return [bootloaderCommands("u-boot", block)];
  const command = String(parameters["uboot_altbank_cmd"] ?? "reset");
  return [
    bootloaderCommands("u-boot", block, {
      name: "bootloader-commands-altbank",
      commands: [command],
      awaitsFinal: false,
    }),
    bootloaderInterrupt("u-boot"),
    bootloaderCommands("u-boot", block),
  ];
}
