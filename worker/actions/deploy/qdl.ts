import { stat } from "node:fs/promises";
import path from "node:path";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { checkLinks, relativePath } from "../../drivers/flashers/job-files.ts";
import { refusal } from "../../host/device-methods.ts";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import { addToExt4 } from "../../overlay/ext4-edit.ts";
import { imagePart } from "../../overlay/partition-table.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { overlaySlot, qcomflashSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { downloadRetry } from "../download/download-action.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** A Qualcomm flash package (`qcomflash`, a tar archive), unpacked for boot `qdl` (DISPATCHER.md 11). */
export const qdlDeploy: DeployStrategy = {
  family: "deploy",
  name: "qdl",
  refuses: (block, job) => {
    const why = refusal("deploy", "qdl", block.to, job);
    if (why !== undefined) return why;
    const { url } = (block["qcomflash"] ?? {}) as Mapping;
    return typeof url === "string" ? undefined : "qcomflash has no url";
  },
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    const source = (block["qcomflash"] ?? {}) as Mapping;
    const applies = needsOverlay && source["apply-overlay"] === true;
    return {
      name: "qdl-deploy",
      gives: [qcomflashSlot],
      steps: [
        ...(needsOverlay ? [lavaOverlay(context, block)] : []),
        unpackedDownload(source),
        ...(applies ? [applyOverlayQdl(block)] : []),
      ],
    };
  },
};

function unpackedDownload(source: Mapping): Action {
  const file = slot<string>("qcomflash archive");
  return {
    ...downloadRetry({ label: "qcomflash", source }, file),
    gives: [file, qcomflashSlot],
    validate: async () => requireTool("tar"),
    runAfter: async ({ slots, signal }) => {
      const archive = slots.take(file);
      // With `archive: tar` it has been unpacked already.
      const isUnpacked = (await stat(archive)).isDirectory();
      const folder = isUnpacked ? archive : `${archive}.d`;
      if (!isUnpacked) await unpackTar(archive, folder, { signal });
      await checkLinks(folder);
      slots.put(qcomflashSlot, folder);
    },
  };
}

/** Puts the overlay into the package's root file system, `rootfs_image` of the block. */
function applyOverlayQdl(block: DeployBlock): Action {
  return {
    name: "apply-overlay-qdl",
    needs: [qcomflashSlot],
    onTimeout: "Infrastructure",
    validate: async () => {
      requireTool("debugfs");
      rootfsImage(block);
      overlayPath(block);
    },
    run: async ({ slots, signal, log }) => {
      const overlay = slots.find(overlaySlot);
      if (!overlay) return;
      const image = path.join(slots.take(qcomflashSlot), rootfsImage(block));
      const at = path.posix.join("/", overlayPath(block));
      await addToExt4(
        image,
        await imagePart(image, undefined),
        { folder: overlay.root, at },
        signal,
      );
      log.info(`The overlay is in ${rootfsImage(block)}, below ${at}`);
    },
  };
}

function rootfsImage({ rootfs_image: image }: DeployBlock): string {
  if (typeof image === "string" && image !== "") return relativePath(image, "rootfs_image");
  const message =
    "deploy qdl: rootfs_image is missing: apply-overlay needs the name of the package's root file system";
  throw new JobFailure("Job", message);
}

/** Where the image's root is on the DUT, when that isn't the image's own (OSTree). */
const overlayPath = ({ overlay_path: at }: DeployBlock): string =>
  at === undefined || at === null
    ? ""
    : relativePath(String(at).replace(/^\/+/, ""), "overlay_path");
