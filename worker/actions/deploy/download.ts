import type { Action } from "../../pipeline/action.ts";
import type { DeployStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { askForFastboot, ubootEnterFastboot } from "../fastboot/enter-fastboot.ts";
import { resetDevice } from "../power/reset-device.ts";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { blockImages, forgetImages, imageDownload, imagesRefusal } from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** Files on the worker for a board that waits in fastboot meanwhile (DISPATCHER.md 11). */
export const downloadDeploy: DeployStrategy = {
  family: "deploy",
  name: "download",
  refuses: (block) =>
    block.to === "download" ? imagesRefusal(block) : `the deployment is to ${block.to}`,
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    return {
      name: "download-deploy",
      run: forgetImages,
      steps: [
        ...entry(block, context),
        ...blockImages(block).map((image) => imageDownload(block, image, needsOverlay)),
        ...(needsOverlay ? [lavaOverlay(context, block)] : []),
      ],
    };
  },
};

/** The board is readied first, as in LAVA; no `detect-fastboot-device`, as nothing is flashed. */
function entry(block: DeployBlock, { job }: StrategyContext): Action[] {
  const { device } = job;
  if ((device as Record<string, unknown>)["fastboot_via_uboot"] === true) {
    return [connectDevice, ubootEnterFastboot(job, block)];
  }
  if (device.commands?.["hard_reset"]) return [connectDevice, resetDevice(job, block)];
  return [askForFastboot(block)];
}
