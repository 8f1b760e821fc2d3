import type { BootBlock } from "#protocol/job-actions.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { refusal } from "../../host/device-methods.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { bootloaderCommands } from "../bootloader/commands.ts";
import { menuInterrupt, menuSelector } from "../bootloader/menu-selector.ts";
import { menuSteps } from "../bootloader/menu-steps.ts";
import { methodParameters } from "../bootloader/methods.ts";
import { bootloaderOverlay } from "../bootloader/overlay.ts";
import { atPromptSlot } from "../bootloader/slots.ts";
import { loginSteps } from "../login/login.ts";
import { resetDevice } from "../power/reset-device.ts";
import { menuConnect } from "./uefi-menu.ts";

/** The UEFI shell, behind the firmware's menu where the device has one in front of it (DISPATCHER.md 12). */
export const uefiBoot: BootStrategy = {
  family: "boot",
  name: "uefi",
  refuses: ({ method }, job) => refusal("boot", "uefi", method, job),
  action: (block, context) => ({
    name: "uefi-shell-main-action",
    retries: true,
    steps: [
      bootloaderOverlay("uefi", block),
      menuConnect,
      resetDevice(context.job, block),
      ...throughMenu(shellMenu(block, context.job)),
      shellInterrupt,
      bootloaderCommands("uefi", block),
      ...loginSteps(block, context),
    ],
  }),
};

/** The set of menu steps that leads to the shell, of the block else the device; empty: the shell comes by itself. */
const shellMenu = (block: BootBlock, job: JobContext): string =>
  listOfTexts(block["shell_menu"] ?? methodParameters("uefi", job)["shell_menu"])[0] ?? "";

function throughMenu(set: string): Action[] {
  if (set === "") return [];
  return [
    menuInterrupt({
      name: "uefi-shell-menu-interrupt",
      method: "uefi",
      prompt: "interrupt_prompt",
      string: "interrupt_string",
    }),
    menuSelector({
      name: "uefi-shell-menu-selector",
      method: "uefi",
      prompt: "menu_prompt",
      check: (job) => menuSteps("uefi", set, job),
      steps: ({ job }) => menuSteps("uefi", set, job),
      lineSeparator: (job) => methodParameters("uefi", job)["line_separator"],
      final: "menu_boot_message",
    }),
  ];
}

const interrupt = menuInterrupt({
  name: "uefi-shell-interrupt",
  method: "uefi",
  prompt: "shell_interrupt_prompt",
  string: "shell_interrupt_string",
});

/** The shell waits some seconds before it runs its start-up script. */
const shellInterrupt: Action = {
  ...interrupt,
  // Not among those that are the lab's fault (DISPATCHER.md 5.2).
  onTimeout: "Job",
  run: async (context) => {
    context.connection.put(atPromptSlot, false);
    await interrupt.run?.(context);
  },
};
