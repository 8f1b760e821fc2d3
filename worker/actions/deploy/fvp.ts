import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { blockImages, forgetImages, imageDownload, imagesRefusal } from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** Files for a Fixed Virtual Platform; boot `fvp` puts them into its arguments (DISPATCHER.md 11). */
export const fvpDeploy: DeployStrategy = {
  family: "deploy",
  name: "fvp",
  refuses: (block) =>
    block.to === "fvp" ? imagesRefusal(block) : `the deployment is to ${block.to}`,
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    return {
      name: "fvp-deploy",
      run: forgetImages,
      steps: [
        ...(needsOverlay ? [lavaOverlay(context, block)] : []),
        ...blockImages(block).map((image) => imageDownload(block, image, needsOverlay)),
      ],
    };
  },
};
