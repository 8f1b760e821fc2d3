import type { DeployBlock } from "#protocol/job-actions.ts";
import { refusal } from "../../host/device-methods.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import type { Action } from "../../pipeline/action.ts";
import { imagesSlot, placeholdersSlot, uefiSlot } from "../../pipeline/job-slots.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { applyOverlayTftp } from "./apply-overlay-tftp.ts";
import { downloadRetry } from "../download/download-action.ts";
import { blockImages, forgetImages, imageDownload, imagesRefusal } from "./image-downloads.ts";
import { fileSlot } from "./network-files.ts";
import { extractNfsrootfs } from "./nfsrootfs.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";
import { clearNetworkSlots, nfsPlaceholders } from "./tftp-files.ts";

/** A kernel for QEMU and a root file system that this worker exports to it (DISPATCHER.md 11, `nfs` with `qemu-nfs`). */
export const qemuNfsDeploy: DeployStrategy = {
  family: "deploy",
  name: "qemu-nfs",
  refuses: (block, job) => {
    const lacks = refusal("deploy", "nfs", block.to, job);
    if (lacks !== undefined) return lacks;
    const offered = Object.keys(job.device.actions.boot.methods ?? {});
    if (!offered.includes("qemu-nfs")) {
      return `the device has no boot method qemu-nfs (it has ${offered.join(", ") || "none"})`;
    }
    if (mappingOf(block["images"])["nfsrootfs"] === undefined)
      return "the block has no images.nfsrootfs";
    return imagesRefusal(block);
  },
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    const uefi = mappingOf(block["uefi"]);
    const rooted: DeployBlock = { ...block, nfsrootfs: mappingOf(block["images"])["nfsrootfs"] };
    const images = blockImages(block).map((image) =>
      image.label === "nfsrootfs" ? { ...image, file: fileSlot("nfsrootfs") } : image,
    );
    return {
      name: "deploy-qemu-nfs",
      gives: [imagesSlot, placeholdersSlot],
      run: async (running) => {
        await forgetImages?.(running);
        running.slots.clear(uefiSlot);
        clearNetworkSlots(running);
      },
      steps: [
        ...(typeof uefi["url"] === "string"
          ? [downloadRetry({ label: "uefi", source: uefi }, uefiSlot)]
          : []),
        ...images.map((image) => imageDownload(block, image, needsOverlay)),
        { ...extractNfsrootfs(rooted), name: "qemu-nfs-deploy" } satisfies Action,
        ...(needsOverlay ? [lavaOverlay(context, block), applyOverlayTftp(rooted, [])] : []),
        ...(context.hasShell ? [{ name: "deploy-device-env" }] : []),
      ],
      runAfter: async (running) => running.slots.put(placeholdersSlot, nfsPlaceholders(running)),
    };
  },
};
