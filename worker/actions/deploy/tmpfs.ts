import { refusal } from "../../host/device-methods.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import { imagesSlot, uefiSlot } from "../../pipeline/job-slots.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { downloadRetry } from "../download/download-action.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";
import { hasLavaOverlay } from "./append-overlays.ts";
import { applyOverlayGuest } from "./apply-overlay-guest.ts";
import { blockImages, imageDownload, imagesRefusal } from "./image-downloads.ts";

/** Files for a virtual device, each with the argument that hands it to the emulator (DISPATCHER.md 11). */
export const tmpfsDeploy: DeployStrategy = {
  family: "deploy",
  name: "tmpfs",
  refuses: (block, job) =>
    block.to === "tmpfs"
      ? (refusal("deploy", "image", "image", job) ?? imagesRefusal(block))
      : `the deployment is to ${block.to}`,
  action: (block, context) => {
    const { overlayTests, hasShell } = context;
    const needsOverlay = overlayTests.length > 0;
    const images = blockImages(block);
    const uefi = mappingOf(block["uefi"]);
    const hasUefi = typeof uefi["url"] === "string";
    const alreadyIn = images.find(({ source }) => hasLavaOverlay(source))?.label;
    return {
      name: "deployimages",
      run: async ({ slots, log }) => {
        // A second deployment has its own images only.
        [imagesSlot, uefiSlot].forEach((left) => slots.clear(left));
        for (const { label, source } of images) {
          if (typeof source["image_arg"] === "string") continue;
          log.warning(`image ${label} has no image_arg: the emulator will not see it`);
        }
      },
      steps: [
        ...(needsOverlay ? [lavaOverlay(context, block)] : []),
        // Its values travel in the overlay and in boot's export-device-env.
        ...(hasShell ? [{ name: "deploy-device-env" }] : []),
        ...(hasUefi ? [downloadRetry({ label: "uefi", source: uefi }, uefiSlot)] : []),
        ...images.map((image) => imageDownload(block, image, needsOverlay)),
        ...(needsOverlay ? [applyOverlayGuest(alreadyIn)] : []),
      ],
    };
  },
};
