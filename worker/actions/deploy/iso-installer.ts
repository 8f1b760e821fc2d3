import { open, rm } from "node:fs/promises";
import path from "node:path";
import { extractFromIso } from "../../host/iso9660.ts";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { refusal } from "../../host/device-methods.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { guestDriveSlot, imagesSlot, installerSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { applyOverlayGuest } from "./apply-overlay-guest.ts";
import { blockImages, forgetImages, imageDownload } from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

const diskSlot = slot<string>("installer's disk");
const kernelSlot = slot<string>("installer's kernel");
const initrdSlot = slot<string>("installer's initrd");

/** An unattended installation in QEMU, from a disc image onto an empty disk; boot `qemu-iso` runs it (DISPATCHER.md 11). */
export const isoInstallerDeploy: DeployStrategy = {
  family: "deploy",
  name: "iso-installer",
  refuses: (block, job) => {
    if (block.to !== "iso-installer") return `the deployment is to ${block.to}`;
    const lacks = refusal("deploy", "image", "image", job);
    if (lacks !== undefined) return lacks;
    const images = mappingOf(block["images"]);
    const missing = ["iso", "preseed"].find((label) => !mappingOf(images[label])["url"]);
    if (missing !== undefined) return `the block has no images.${missing}.url`;
    return isoOf(block).installation_size === undefined
      ? "the block has no iso.installation_size"
      : undefined;
  },
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    const images = new Map(blockImages(block).map((image) => [image.label, image]));
    const downloads = ["preseed", "iso"].flatMap((label) => {
      const image = images.get(label);
      return image ? [imageDownload(block, image, false)] : [];
    });
    return {
      name: "deploy-iso-installer",
      run: async (running) => {
        await forgetImages?.(running);
        running.slots.clear(guestDriveSlot);
      },
      steps: [
        prepareEmptyImage(block),
        ...downloads,
        pullInstallerFiles(block),
        prepareQemuCommands,
        ...(needsOverlay ? [lavaOverlay(context, block), applyOverlayGuest(undefined)] : []),
        ...(context.hasShell ? [{ name: "deploy-device-env" }] : []),
      ],
    };
  },
};

const isoOf = (block: DeployBlock): Record<"installation_size" | "kernel" | "initrd", unknown> =>
  mappingOf(block["iso"]) as Record<"installation_size" | "kernel" | "initrd", unknown>;

/** A file with a hole: it takes the room of what is installed. */
const prepareEmptyImage = (block: DeployBlock): Action => ({
  name: "prepare-empty-image",
  gives: [diskSlot],
  validate: async () => void diskBytes(block),
  run: async ({ job, level, slots, record }) => {
    const disk = path.join(job.scratch, `installed-${level}.img`);
    await rm(disk, { force: true });
    const file = await open(disk, "wx");
    await file.truncate(diskBytes(block)).finally(() => file.close());
    slots.put(diskSlot, disk);
    record({ success: disk });
  },
});

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};
const MAX_BYTES = 2 ** 43;

/** @throws JobFailure Job when it is no size. */
function diskBytes(block: DeployBlock): number {
  const size = String(isoOf(block).installation_size);
  const [, count, unit = ""] = /^(\d+)([KMGT]?)B?$/i.exec(size) ?? [];
  const bytes = Number(count) * (UNITS[unit.toUpperCase()] ?? Number.NaN);
  if (bytes > 0 && bytes <= MAX_BYTES) return bytes;
  throw new JobFailure("Job", `iso.installation_size '${size}': expected a size such as 3G`);
}

const pullInstallerFiles = (block: DeployBlock): Action => ({
  name: "pull-installer-files",
  needs: [imagesSlot],
  gives: [kernelSlot, initrdSlot],
  validate: async () => void pathsOf(block),
  run: async ({ job, level, slots, record }) => {
    const iso = slots.take(imagesSlot).get("iso")?.path ?? "";
    const paths = pathsOf(block);
    for (const [name, into] of [
      ["kernel", kernelSlot],
      ["initrd", initrdSlot],
    ] as const) {
      const target = path.join(job.scratch, `installer-${name}-${level}`);
      await extractFromIso(iso, paths[name], target);
      slots.put(into, target);
    }
    record({ success: `${paths.kernel} ${paths.initrd}` });
  },
});

/** @throws JobFailure Job when they aren't absolute paths. */
function pathsOf(block: DeployBlock): { kernel: string; initrd: string } {
  const { kernel, initrd } = isoOf(block);
  for (const [name, value] of Object.entries({ kernel, initrd })) {
    if (typeof value === "string" && value.startsWith("/")) continue;
    throw new JobFailure(
      "Job",
      `iso.${name} '${String(value)}': expected an absolute path in the ISO`,
    );
  }
  return { kernel: String(kernel), initrd: String(initrd) };
}

const prepareQemuCommands: Action = {
  name: "prepare-qemu-commands",
  needs: [diskSlot, kernelSlot, initrdSlot, imagesSlot],
  gives: [installerSlot],
  run: async ({ slots }) =>
    slots.put(installerSlot, {
      disk: slots.take(diskSlot),
      kernel: slots.take(kernelSlot),
      initrd: slots.take(initrdSlot),
      preseed: slots.take(imagesSlot).get("preseed")?.path ?? "",
    }),
};
