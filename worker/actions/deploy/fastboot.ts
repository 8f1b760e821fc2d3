import type { DeployBlock } from "#protocol/job-actions.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { imagesSlot, type DeployedImage } from "../../pipeline/job-slots.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";
import type { DeployStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { readFeedback } from "../connection/read-feedback.ts";
import { checkTool, runFastboot } from "../fastboot/board-tool.ts";
import { enterFastboot } from "../fastboot/enter-fastboot.ts";
import { checkBoard, lacksFastboot, waitBoard } from "../fastboot/fastboot-board.ts";
import { rebootAfter } from "../fastboot/fastboot-reboot.ts";
import { hasLavaOverlay, overlaySteps } from "./append-overlays.ts";
import { applyOverlayImage, applyOverlaySparseImage } from "./apply-overlay-image.ts";
import { downloadRetry } from "../download/download-action.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** Images flashed to a board's partitions by fastboot (DISPATCHER.md 11, 11.3). */
export const fastbootDeploy: DeployStrategy = {
  family: "deploy",
  name: "fastboot",
  refuses: (block, job) => {
    if (block.to !== "fastboot") return `the deployment is to ${block.to}`;
    const offered = Object.keys(job.device.actions.deploy.methods ?? {});
    if (!offered.includes("fastboot")) {
      return `the device has no deploy method fastboot (it has ${offered.join(", ") || "none"})`;
    }
    return lacksFastboot(job) ?? wrongImage(block);
  },
  action: (block, context) => {
    const { job, overlayTests, hasShell } = context;
    const images = imagesOf(block).map(([label, image]) => ({
      label,
      image,
      file: slot<string>(`image ${label}`),
    }));
    return {
      name: "fastboot-deploy",
      run: async ({ slots }) => slots.clear(imagesSlot),
      steps: [
        ...(overlayTests.length > 0 ? [lavaOverlay(context, block)] : []),
        ...images.flatMap((one) => [
          ...imageSteps(one.label, one.image, one.file, context),
          ...(hasShell ? [{ name: "deploy-device-env" }] : []),
        ]),
        ...enterFastboot(job, { block, prePower: true }),
        flashOrder(block, job),
      ],
    };
  },
};

function wrongImage(block: DeployBlock): string | undefined {
  const images = imagesOf(block);
  for (const [label, image] of images) {
    if (typeof image["url"] !== "string") return `images.${label} has no url`;
    // It becomes a word of fastboot's command line.
    if (!/^[\w.]+(?::[\w.]+)?$/.test(label)) return `images.${label}: no name of a partition`;
    if (image["reboot"] !== undefined && !rebootAfter(block, image["reboot"])) {
      return `images.${label}.reboot is ${JSON.stringify(image["reboot"])}: expected hard-reset, fastboot-reboot, fastboot-reboot-bootloader or fastboot-reboot-fastboot`;
    }
  }
  return images.length > 0 ? undefined : "the block has no images";
}

function imageSteps(
  label: string,
  image: Mapping,
  file: Slot<string>,
  { overlayTests }: StrategyContext,
): Action[] {
  const needsOverlay = overlayTests.length > 0;
  const appended = overlaySteps(label, image, file, needsOverlay);
  const fetched = downloadRetry({ label, source: image }, file, appended);
  const wantsOverlay = image["apply-overlay"] === true && !hasLavaOverlay(image);
  return [
    {
      ...fetched,
      gives: [file, imagesSlot],
      runAfter: async ({ slots }) => {
        const deployed: DeployedImage = { label, path: slots.take(file), imageArg: undefined };
        const others = [...(slots.find(imagesSlot) ?? [])].filter(([name]) => name !== label);
        slots.put(imagesSlot, new Map([...others, [label, deployed]]));
      },
    },
    ...(wantsOverlay ? [overlayInto(image, file)] : []),
  ];
}

const overlayInto = (image: Mapping, file: Slot<string>): Action =>
  image["sparse"] === false ? applyOverlayImage(file, image) : applyOverlaySparseImage(file);

/** Flashes one image after the other, each when the board is there, with what reboots it in between. */
function flashOrder(block: DeployBlock, job: JobContext): Action {
  const images = new Map(imagesOf(block));
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
  const own = (device as Mapping)["flash_cmds_order"];
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
  const sequence = (device.actions.boot.methods as Mapping | null)?.["fastboot"];
  return Array.isArray(sequence) && sequence.includes("no-flash-boot");
}

const imagesOf = (block: DeployBlock): (readonly [string, Mapping])[] =>
  Object.entries(mapping(block["images"])).map(
    ([label, image]) => [label, mapping(image)] as const,
  );

const mapping = (value: unknown): Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Mapping) : {};
