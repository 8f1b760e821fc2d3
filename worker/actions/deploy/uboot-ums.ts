import { refusal } from "../../host/device-methods.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { applyOverlayImage } from "./apply-overlay-image.ts";
import { downloadRetry } from "../download/download-action.ts";
import { forgetImages } from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** A disk image for a board that shows its flash by U-Boot's `ums`; boot `u-boot` writes it there (DISPATCHER.md 11). */
export const ubootUmsDeploy: DeployStrategy = {
  family: "deploy",
  name: "u-boot-ums",
  refuses: (block, job) =>
    refusal("deploy", "u-boot-ums", block.to, job) ??
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
