import { imagesSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { applyOverlayImage } from "./apply-overlay-image.ts";
import { downloadRetry } from "../download/download-action.ts";
import { lacksDeployMethod, mappingOf } from "./deploy-block.ts";
import { forgetImages } from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** A disk image for a board that shows its flash by U-Boot's `ums`; boot `u-boot` writes it there (DISPATCHER.md 11). */
export const ubootUmsDeploy: DeployStrategy = {
  family: "deploy",
  name: "u-boot-ums",
  refuses: (block, job) =>
    lacksDeployMethod("u-boot-ums", block, job) ??
    (mappingOf(block["image"])["url"] === undefined ? "the block has no image.url" : undefined),
  action: (block, context) => {
    const source = mappingOf(block["image"]);
    const file = slot<string>("ums image");
    const needsOverlay = context.overlayTests.length > 0;
    return {
      name: "uboot-ums-deploy",
      gives: [imagesSlot],
      run: forgetImages,
      steps: [
        downloadRetry({ label: "image", source }, file),
        ...(needsOverlay
          ? [
              lavaOverlay(context, block),
              applyOverlayImage(file, { overlay_backend: block["overlay_backend"], ...source }),
            ]
          : []),
        ...(context.hasShell ? [{ name: "deploy-device-env" }] : []),
      ],
      runAfter: async ({ slots }) => {
        const image = { label: "image", path: slots.take(file), imageArg: undefined };
        slots.put(imagesSlot, new Map([["image", image]]));
      },
    };
  },
};
