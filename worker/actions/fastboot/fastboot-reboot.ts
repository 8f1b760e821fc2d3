import type { Action } from "../../pipeline/action.ts";
import { pduReboot } from "../power/power-actions.ts";
import { checkTool, runFastboot, type ToolBlock } from "./board-tool.ts";
import { checkBoard } from "./fastboot-board.ts";

/** `fastboot reboot`, also to the bootloader's or the userspace's fastboot. */
export const fastbootReboot = (
  block: ToolBlock,
  to: "" | "-bootloader" | "-fastboot" = "",
): Action => ({
  name: `fastboot-reboot${to}`,
  onTimeout: "Infrastructure",
  validate: async (context) => {
    await checkBoard(context);
    await checkTool(context, block, "fastboot");
  },
  run: async (context) => {
    await runFastboot(context, block, [`reboot${to}`]);
    context.record({ status: "success" });
  },
});

/** What `reboot` of an image may say (JOB.md 5.2); undefined for anything else. */
export function rebootAfter(block: ToolBlock, reboot: unknown): Action | undefined {
  switch (reboot) {
    case "hard-reset":
      return pduReboot;
    case "fastboot-reboot":
      return fastbootReboot(block);
    case "fastboot-reboot-bootloader":
      return fastbootReboot(block, "-bootloader");
    case "fastboot-reboot-fastboot":
      return fastbootReboot(block, "-fastboot");
    default:
      return undefined;
  }
}
