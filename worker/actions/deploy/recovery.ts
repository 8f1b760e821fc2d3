import { refusal } from "../../host/device-methods.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { blockImages, forgetImages, imageDownload, imagesRefusal } from "./image-downloads.ts";

/** Files to repair a board with, for a test that flashes them while boot `recovery` holds it (DISPATCHER.md 11). */
export const recoveryDeploy: DeployStrategy = {
  family: "deploy",
  name: "recovery",
  refuses: (block, job) => refusal("deploy", "recovery", block.to, job) ?? imagesRefusal(block),
  action: (block, { job }) => {
    const { tags } = (job.device.actions.deploy.methods?.["recovery"] ?? {}) as { tags?: unknown };
    return {
      name: "deploy-recovery-mode",
      run: forgetImages,
      steps: [
        // No overlay: what runs meanwhile is the board's own recovery.
        ...blockImages(block).map((image) => imageDownload(block, image, false)),
        ...(Array.isArray(tags) && tags.includes("serial") ? [connectDevice] : []),
      ],
    };
  },
};
