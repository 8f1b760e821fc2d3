import type { Action } from "../../pipeline/action.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { applyOverlayImage, applyOverlaySparseImage } from "./apply-overlay-image.ts";
import {
  blockImages,
  forgetImages,
  imageDownload,
  imagesRefusal,
  type BlockImage,
} from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** Files for an i.MX board, which boot `uuu` hands to NXP's tool; `boot` is its bootloader (DISPATCHER.md 11). */
export const uuuDeploy: DeployStrategy = {
  family: "deploy",
  name: "uuu",
  refuses: (block, { device }) => {
    if (block.to !== "uuu") return `the deployment is to ${block.to}`;
    if (!Object.hasOwn(device.actions.boot.methods ?? {}, "uuu")) {
      return "the device has no boot method uuu";
    }
    const isBoot = ({ label }: BlockImage): boolean => label === "boot";
    return blockImages(block).some(isBoot) ? imagesRefusal(block) : "images.boot is missing";
  },
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    return {
      name: "uuu-deploy",
      run: forgetImages,
      steps: [
        ...(needsOverlay ? [lavaOverlay(context, block)] : []),
        ...blockImages(block).flatMap((image) => [
          imageDownload(block, image, needsOverlay),
          ...(needsOverlay && image.source["apply-overlay"] === true ? [applied(image)] : []),
        ]),
      ],
    };
  },
};

const applied = ({ source, file }: BlockImage): Action =>
  source["sparse"] === true ? applyOverlaySparseImage(file) : applyOverlayImage(file, source);
