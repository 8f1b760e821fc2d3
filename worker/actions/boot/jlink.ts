import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { actionFolder, checkNoPaths, imagePaths } from "../../drivers/flashers/job-files.ts";
import { JLINK_FAILED, jlinkArgv, jlinkScript, readJLink } from "../../drivers/flashers/jlink.ts";
import { refusal } from "../../host/device-methods.ts";
import { runTool } from "../../drivers/flashers/run-tool.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action } from "../../pipeline/action.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { boardId } from "../connection/wait-usb.ts";
import { powerCycled } from "./flasher-steps.ts";

/** A board whose flash is written through a J-Link probe (DISPATCHER.md 12). */
export const jlinkBoot: BootStrategy = {
  family: "boot",
  name: "jlink",
  refuses: ({ method }, job) => refusal("boot", "jlink", method, job, ["board_id"]),
  action: (block, { job }) => ({
    name: "boot-jlink-image",
    retries: true,
    needs: [imagesSlot],
    steps: [...powerCycled(job), connectDevice, flashJLink(block)],
  }),
};

function flashJLink(block: BootBlock): Action {
  const commands = listOfTexts(block.commands);
  return {
    name: "flash-jlink",
    needs: [imagesSlot],
    validate: async ({ job }) => {
      boardId(job);
      for (const command of commands) checkNoPaths(command, "commands of boot jlink");
      requireTool(readJLink(job, block["coretype"]).command);
    },
    run: async (context) => {
      const { job, log } = context;
      const probe = readJLink(job, block["coretype"]);
      const folder = await actionFolder(context, "jlink");
      const script = path.join(folder, "cmd.jlink");
      const text = jlinkScript(probe, commands, imagePaths(context));
      await writeFile(script, text);
      for (const line of text.trimEnd().split("\n")) log.debug(`script: ${line}`);
      await runTool(context, jlinkArgv(probe, boardId(job), script), {
        cwd: folder,
        failed: JLINK_FAILED,
      });
    },
  };
}
