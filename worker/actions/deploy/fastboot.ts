import type { DeployBlock } from "#protocol/job-actions.ts";
import { refusal } from "../../host/device-methods.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { readFeedback } from "../connection/read-feedback.ts";
import { checkTool, runFastboot } from "../fastboot/board-tool.ts";
import { enterFastboot } from "../fastboot/enter-fastboot.ts";
import { checkBoard, lacksFastboot, waitBoard } from "../fastboot/fastboot-board.ts";
import { rebootAfter } from "../fastboot/fastboot-reboot.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";
import { hasLavaOverlay } from "./append-overlays.ts";
import { applyOverlayImage, applyOverlaySparseImage } from "./apply-overlay-image.ts";
import { blockImages, forgetImages, imageDownload, type BlockImage } from "./image-downloads.ts";

/** Images flashed to a board's partitions by fastboot (DISPATCHER.md 11, 11.3). */
export const fastbootDeploy: DeployStrategy = {
  family: "deploy",
  name: "fastboot",
  refuses: (block, job) =>
    refusal("deploy", "fastboot", block.to, job) ?? lacksFastboot(job) ?? wrongImage(block),
  action: (block, context) => {
    const { job, overlayTests, hasShell } = context;
    const needsOverlay = overlayTests.length > 0;
    return {
      name: "fastboot-deploy",
      run: forgetImages,
      steps: [
        ...(needsOverlay ? [lavaOverlay(context, block)] : []),
        ...blockImages(block).flatMap((image) => [
          imageDownload(block, image, needsOverlay),
          ...overlayInto(image),
          ...(hasShell ? [{ name: "deploy-device-env" }] : []),
        ]),
        ...enterFastboot(job, { block, prePower: true }),
        flashOrder(block, job),
      ],
    };
  },
};

function wrongImage(block: DeployBlock): string | undefined {
  const images = blockImages(block);
  for (const { label, source: image } of images) {
    if (typeof image["url"] !== "string") return `images.${label} has no url`;
    // It becomes a word of fastboot's command line.
    if (!/^[\w.]+(?::[\w.]+)?$/.test(label)) return `images.${label}: no name of a partition`;
    if (image["reboot"] !== undefined && !rebootAfter(block, image["reboot"])) {
      return `images.${label}.reboot is ${JSON.stringify(image["reboot"])}: expected hard-reset, fastboot-reboot, fastboot-reboot-bootloader or fastboot-reboot-fastboot`;
    }
  }
  return images.length > 0 ? undefined : "the block has no images";
}

function overlayInto({ source, file }: BlockImage): Action[] {
  if (source["apply-overlay"] !== true || hasLavaOverlay(source)) return [];
  const isRaw = source["sparse"] === false;
  return [isRaw ? applyOverlayImage(file, source) : applyOverlaySparseImage(file)];
}

/** Flashes one image after the other, each when the board is there, with what reboots it in between. */
function flashOrder(block: DeployBlock, job: JobContext): Action {
  const images = new Map(blockImages(block).map(({ label, source }) => [label, source]));
  const flashes = flashedLabels([...images.keys()], job).flatMap((label) => {
    const reboot = rebootAfter(block, images.get(label)?.["reboot"]);
    return [waitBoard, flash(label, block), ...(reboot ? [reboot, readFeedback] : [])];
  });
  return {
    name: "fastboot-flash-order-action",
    onTimeout: "Infrastructure",
    steps: [readFeedback, ...flashes],
  };
}

/** LAVA's order where the device has none of its own (DISPATCHER.md 11.3). */
const DEFAULT_ORDER = [
  "update",
  "ptable",
  "partition",
  "hyp",
  "modem",
  "rpm",
  "sbl1",
  "sbl2",
  "sec",
  "tz",
  "aboot",
  "boot",
  "rootfs",
  "vendor",
  "system",
  "cache",
  "userdata",
];

/** The device's order first, then the rest as the job has them. */
function flashedLabels(labels: readonly string[], { device }: JobContext): string[] {
  const own = mappingOf(device)["flash_cmds_order"];
  const order = Array.isArray(own) ? own.map(String) : DEFAULT_ORDER;
  const known = order.filter((label) => labels.includes(label));
  return [...new Set([...known, ...labels])];
}

function flash(label: string, block: DeployBlock): Action {
  return {
    name: "fastboot-flash-action",
    needs: [imagesSlot],
    onTimeout: "Infrastructure",
    validate: async (context) => {
      await checkBoard(context);
      await checkTool(context, block, "fastboot");
    },
    run: async (context) => {
      const { job, slots, log } = context;
      if (label === "boot" && bootIsNotFlashed(job)) {
        return log.info("boot is not flashed: the device's boot sequence has no-flash-boot");
      }
      const image = slots.take(imagesSlot).get(label);
      if (!image) throw new Error(`no image ${label}`);
      await runFastboot(context, block, ["flash", label], image.path);
      context.record({ label });
    },
  };
}

function bootIsNotFlashed({ device }: JobContext): boolean {
  const sequence = mappingOf(device.actions.boot.methods)["fastboot"];
  return Array.isArray(sequence) && sequence.includes("no-flash-boot");
}
