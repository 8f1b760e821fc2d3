import { imagePaths } from "../../drivers/flashers/job-files.ts";
import { refusal } from "../../host/device-methods.ts";
import { pyOcdArgv, readPyOcd } from "../../drivers/flashers/pyocd.ts";
import { runTool } from "../../drivers/flashers/run-tool.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action } from "../../pipeline/action.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { boardId } from "../connection/wait-usb.ts";
import { powerCycled } from "./flasher-steps.ts";

/** A board whose flash is written by pyOCD (DISPATCHER.md 12, where both wrappers have one name). */
export const pyOcdBoot: BootStrategy = {
  family: "boot",
  name: "pyocd",
  refuses: ({ method }, job) => refusal("boot", "pyocd", method, job, ["board_id"]),
  action: (_block, { job }) => ({
    name: "boot-pyocd-image",
    retries: true,
    needs: [imagesSlot],
    steps: [
      {
        name: "boot-pyocd-image",
        retries: true,
        steps: [
          ...powerCycled(job),
          // A probe may drop its serial port while it flashes, and what boots may speak at once.
          ...(readPyOcd(job).connectsFirst
            ? [connectDevice, flashPyOcd]
            : [flashPyOcd, connectDevice]),
        ],
      },
    ],
  }),
};

const flashPyOcd: Action = {
  name: "flash-pyocd",
  needs: [imagesSlot],
  validate: async ({ job }) => {
    boardId(job);
    requireTool(readPyOcd(job).command);
  },
  run: async (context) => {
    const tool = readPyOcd(context.job);
    for (const image of Object.values(imagePaths(context))) {
      await runTool(context, pyOcdArgv(tool, boardId(context.job), image));
    }
  },
};
