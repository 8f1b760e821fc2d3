import type { BootBlock } from "#protocol/job-actions.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import type { BootStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { bootloaderCommands } from "../bootloader/commands.ts";
import { bootloaderInterrupt } from "../bootloader/interrupt.ts";
import { menuInterrupt, menuSelector } from "../bootloader/menu-selector.ts";
import { menuSteps } from "../bootloader/menu-steps.ts";
import { deviceMethod } from "../bootloader/methods.ts";
import { bootloaderOverlay, fromMedia } from "../bootloader/overlay.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { resetDevice } from "../power/reset-device.ts";
import { grubSequence } from "./grub-sequence.ts";
import { loginOrInstaller } from "./installer-wait.ts";

type GrubName = "grub" | "grub-efi";

/** GRUB's command line, or what a board that brings its own GRUB does by itself (DISPATCHER.md 12). */
export const grubBoot: BootStrategy = grubStrategy("grub");

/** GRUB behind a UEFI firmware: the device's `menu_options` say how its menus lead to GRUB. */
export const grubEfiBoot: BootStrategy = grubStrategy("grub-efi");

function grubStrategy(name: GrubName): BootStrategy {
  return {
    family: "boot",
    name,
    refuses: ({ method }, job) => {
      if (method !== name) return `the method is ${method}`;
      if (methodFor(name, job)) return undefined;
      const offered = Object.keys(job.device.actions.boot.methods ?? {});
      return `the device has no boot method grub or grub-efi (it has ${offered.join(", ") || "none"})`;
    },
    action: (block, context) => {
      const method = methodFor(name, context.job) ?? name;
      const { sequence } = deviceMethod(method, context.job);
      return Array.isArray(sequence)
        ? grubSequence(sequence, block, context)
        : grubMain(method, block, context);
    },
  };
}

/** A device may have either: what its GRUB is told does not depend on the word in the job (JOB.md 6). */
function methodFor(name: GrubName, { device }: JobContext): GrubName | undefined {
  const offered = Object.keys(device.actions.boot.methods ?? {});
  const other: GrubName = name === "grub" ? "grub-efi" : "grub";
  return [name, other].find((method) => offered.includes(method));
}

function grubMain(method: GrubName, block: BootBlock, context: StrategyContext): Action {
  const { job } = context;
  const device = deviceMethod(method, job);
  const resets =
    block["reset"] !== false && (method === "grub" || device["reset_device"] !== false);
  return {
    name: "grub-main-action",
    retries: true,
    steps: [
      fromMedia("bootloader-from-media"),
      bootloaderOverlay(method, block),
      connectDevice,
      ...(resets ? [resetDevice(job, block)] : []),
      ...(method === "grub-efi" && device["menu_options"] ? throughMenu(job) : []),
      bootloaderInterrupt(method),
      bootloaderCommands(method, block),
      ...loginOrInstaller(block, context),
    ],
  };
}

/** Through the firmware's menu to GRUB: the set `menu_options` of the device's `uefi-menu`. */
function throughMenu(job: JobContext): Action[] {
  const { menu_options: set, line_separator: separator } = deviceMethod("grub-efi", job);
  const steps = () => menuSteps("uefi-menu", String(set), job);
  return [
    menuInterrupt({
      name: "uefi-menu-interrupt",
      method: "uefi-menu",
      prompt: "interrupt_prompt",
      string: "interrupt_string",
    }),
    menuSelector({
      name: "grub-efi-menu-selector",
      method: "uefi-menu",
      prompt: "bootloader_prompt",
      check: steps,
      steps,
      lineSeparator: () => separator,
    }),
  ];
}
