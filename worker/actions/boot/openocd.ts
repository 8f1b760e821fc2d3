import { imagePaths } from "../../drivers/flashers/job-files.ts";
import { refusal } from "../../host/device-methods.ts";
import { openOcdArgv } from "../../drivers/flashers/openocd.ts";
import { runTool } from "../../drivers/flashers/run-tool.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action } from "../../pipeline/action.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { boardId } from "../connection/wait-usb.ts";
import { powerCycled } from "./flasher-steps.ts";

/** A board whose flash is written by OpenOCD (DISPATCHER.md 12). */
export const openOcdBoot: BootStrategy = {
  family: "boot",
  name: "openocd",
  refuses: ({ method }, job) => refusal("boot", "openocd", method, job, ["board_id"]),
  action: (_block, { job }) => ({
    name: "boot-openocd-image",
    retries: true,
    needs: [imagesSlot],
    steps: [...powerCycled(job), connectDevice, flashOpenOcd],
  }),
};

const flashOpenOcd: Action = {
  name: "flash-openocd",
  needs: [imagesSlot],
  validate: async ({ job }) => {
    boardId(job);
    requireTool(openOcdArgv(job, {})[0]);
  },
  run: async (context) =>
    void (await runTool(context, openOcdArgv(context.job, imagePaths(context)))),
};
