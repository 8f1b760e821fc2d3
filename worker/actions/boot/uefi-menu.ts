import type { BootBlock } from "#protocol/job-actions.ts";
import { refusal } from "../../host/device-methods.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { bootKindSlot, placeholdersSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { BootStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { bootKindFor } from "../bootloader/boot-kind.ts";
import { menuInterrupt, menuSelector } from "../bootloader/menu-selector.ts";
import { fillSteps, menuSteps, type MenuStep } from "../bootloader/menu-steps.ts";
import { completePlaceholders } from "../bootloader/placeholders.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { loginSteps } from "../login/login.ts";
import { exportDeviceEnv } from "../login/shell-session.ts";
import { resetDevice } from "../power/reset-device.ts";

/** A UEFI firmware whose menus are answered until one of their items boots (DISPATCHER.md 12). */
export const uefiMenuBoot: BootStrategy = {
  family: "boot",
  name: "uefi-menu",
  refuses: ({ method }, job) => refusal("boot", "uefi-menu", method, job),
  action: (block, context) => ({
    name: "uefi-menu-action",
    retries: true,
    steps: [
      uefiCommands(block),
      // A deployment by fastboot has connected and has reset the board already.
      ...(setOf(block).includes("fastboot") ? [] : [menuConnect, resetDevice(context.job, block)]),
      menuInterrupt({
        name: "uefi-menu-interrupt",
        method: "uefi-menu",
        prompt: "interrupt_prompt",
        string: "interrupt_string",
      }),
      menuSelector({
        name: "uefi-menu-selector",
        method: "uefi-menu",
        prompt: "bootloader_prompt",
        check: (job) => stepsOf(block, job),
        steps: ({ slots }) => slots.take(menuStepsSlot),
        lineSeparator: () => block["line_separator"],
      }),
      menuReset,
      ...loginBehindMenu(block, context),
    ],
  }),
};

/** As `connect-device`, under the name that the methods with menus have for it. */
export const menuConnect: Action = { ...connectDevice, name: "menu-connect" };

/** A place in the plan: the menus' line ends and delays ended with the selector. */
const menuReset: Action = { name: "menu-reset", onTimeout: "Infrastructure" };

/** The menu steps of the job, with its values in them. */
const menuStepsSlot = slot<readonly MenuStep[]>("menu-steps");

/** The set's steps with this job's values in them (DISPATCHER.md 10.4), for the selector. */
const uefiCommands = (block: BootBlock): Action => ({
  name: "uefi-commands",
  gives: [menuStepsSlot, placeholdersSlot],
  validate: async ({ job }) => void stepsOf(block, job),
  run: async ({ slots, job }: RunContext) => {
    const kind = slots.find(bootKindSlot) ?? bootKindFor(undefined, job);
    const deployed = slots.find(placeholdersSlot) ?? {};
    const known = {
      ...completePlaceholders("uefi-menu", block, job, deployed, kind),
      // What a device's own list calls it: `LAVA NFS Test Image` for its set nfs.
      TEST_MENU_NAME: `LAVA ${setOf(block).toUpperCase()} Test Image`,
    };
    slots.put(placeholdersSlot, known);
    slots.put(menuStepsSlot, fillSteps(stepsOf(block, job), known));
  },
});

const setOf = ({ commands }: BootBlock): string => (typeof commands === "string" ? commands : "");

/** @throws JobFailure Job when the block names no set or one that the device doesn't have. */
function stepsOf(block: BootBlock, job: JobContext): MenuStep[] {
  if (setOf(block) !== "") return menuSteps("uefi-menu", setOf(block), job);
  const message = "commands: expected the name of a list of menu steps of the device";
  throw new JobFailure("Job", message);
}

/** LOGIN without the wait for a shell in between (DISPATCHER.md 12). */
function loginBehindMenu(block: BootBlock, context: StrategyContext): Action[] {
  const [login] = loginSteps(block, context);
  return login ? [login, exportDeviceEnv] : [];
}
