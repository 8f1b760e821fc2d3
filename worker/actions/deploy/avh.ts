import { copyFile, link, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { avhLogin } from "../../drivers/flashers/avh-api.ts";
import { avhFirmwareSlot, avhSettings, avhToken } from "../../drivers/flashers/avh-settings.ts";
import { actionFolder, checkLinks, relativePath } from "../../drivers/flashers/job-files.ts";
import { refusal } from "../../host/device-methods.ts";
import { runTool } from "../../drivers/flashers/run-tool.ts";
import { requireTool } from "../../host/tool.ts";
import { insertTrees } from "../../overlay/insert-trees.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { overlaySlot } from "../../pipeline/job-slots.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { applyOverlayImage, partitionOf } from "./apply-overlay-image.ts";
import { downloadRetry } from "../download/download-action.ts";
import { blockImages, imageDownload, imagesRefusal, type BlockImage } from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** What AVH calls the files of its packages. */
const NAMES: Readonly<Record<string, string>> = {
  kernel: "kernel",
  dtb: "devicetree",
  rootfs: "nand",
};

/** A board in Arm Virtual Hardware: its firmware package is made, or taken as it is, and uploaded (DISPATCHER.md 11). */
export const avhDeploy: DeployStrategy = {
  family: "deploy",
  name: "avh",
  refuses: (block, job) => {
    const why = refusal("deploy", "avh", block.to, job);
    if (why !== undefined) return why;
    const whole = block["fw_package"] as Mapping | undefined;
    if (whole) return typeof whole["url"] === "string" ? undefined : "fw_package has no url";
    const wrong = blockImages(block).find(({ label }) => !Object.hasOwn(NAMES, label));
    if (wrong) return `images.${wrong.label}: expected ${Object.keys(NAMES).join(", ")}`;
    return imagesRefusal(block);
  },
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    const whole = block["fw_package"] as Mapping | undefined;
    const images = blockImages(block);
    const file = slot<string>("firmware package");
    const steps = whole
      ? [
          downloadRetry({ label: "fw_package", source: unconverted(whole) }, file),
          ...(needsOverlay ? [applyOverlayAvh(file, whole)] : []),
        ]
      : images.flatMap((image) => [
          imageDownload(block, image, needsOverlay),
          ...(needsOverlay && image.label === "rootfs"
            ? [applyOverlayImage(image.file, image.source)]
            : []),
        ]);
    return {
      name: "deploy-avh-retry",
      retries: true,
      gives: [avhFirmwareSlot],
      steps: [
        {
          name: "deploy-avh",
          validate: async ({ job }) => {
            avhSettings(job, block);
            avhToken(job);
            if (!whole || needsOverlay) requireTool("zip");
          },
          steps: [...(needsOverlay ? [lavaOverlay(context, block)] : []), ...steps],
          runAfter: async (running) =>
            upload(
              running,
              block,
              whole ? running.slots.take(file) : await pack(running, block, images),
            ),
        },
      ],
    };
  },
};

/** A package is uploaded as the zip it is. */
const unconverted = (source: Mapping): Mapping =>
  source["compression"] === "zip" ? { ...source, compression: undefined } : source;

async function upload(context: RunContext, block: DeployBlock, file: string): Promise<void> {
  const { job, signal, log, slots, defer } = context;
  const settings = avhSettings(job, block);
  const api = await avhLogin(settings.endpoint, avhToken(job), signal);
  const projectId = await api.project(settings.project);
  log.info(`uploading the firmware to project ${settings.project}`);
  const image = await api.upload(file, `lava-avh-${job.jobId}-${context.level}.zip`, projectId);
  defer(async () => {
    log.debug(`deleting image ${image}`);
    await api.remove("images", image);
  });
  slots.put(avhFirmwareSlot, { ...settings, image, projectId, version: VERSION });
  context.record({ image, model: settings.model });
}

/** Of packages that are made here: AVH wants one, and nothing depends on it. */
const VERSION = "1.0";

async function pack(
  context: RunContext,
  block: DeployBlock,
  images: readonly BlockImage[],
): Promise<string> {
  const { job, slots } = context;
  const folder = await actionFolder(context, "avh");
  for (const { label, file } of images) {
    const target = path.join(folder, NAMES[label] ?? label);
    const source = slots.take(file);
    await link(source, target).catch(() => copyFile(source, target));
  }
  const { model } = avhSettings(job, block);
  await writeFile(path.join(folder, "Info.plist"), infoPlist(model, job.jobId));
  return zipped(context, folder);
}

/** What the package is for, in Apple's format: AVH is made for more than boards. */
function infoPlist(model: string, jobId: number): string {
  const escaped = (text: string): string =>
    text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c] ?? c);
  const values = {
    Version: VERSION,
    Type: "iot",
    Build: String(jobId),
    UniqueIdentifier: `lava-${jobId}`,
    DeviceIdentifier: model,
  };
  const keys = Object.entries(values).map(
    ([key, value]) => `  <key>${key}</key>\n  <string>${escaped(value)}</string>`,
  );
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    "<dict>",
    ...keys,
    "</dict>",
    "</plist>",
    "",
  ].join("\n");
}

async function zipped(context: RunContext, folder: string): Promise<string> {
  const file = `${folder}.zip`;
  await rm(file, { force: true });
  // Fast: it is sent once and thrown away.
  await runTool(context, ["zip", "-q", "-1", "-r", file, "."], {
    cwd: folder,
    failure: "Infrastructure",
  });
  return file;
}

/** Puts the overlay into the image `storage_file` of a package. */
function applyOverlayAvh(file: Slot<string>, source: Mapping): Action {
  return {
    name: "apply-overlay-avh",
    needs: [file],
    onTimeout: "Infrastructure",
    validate: async () => {
      for (const tool of ["unzip", "zip", "debugfs"]) requireTool(tool);
      storageFile(source);
      partitionOf(source, "root_partition");
    },
    run: async (context) => {
      const { slots, signal, log } = context;
      const overlay = slots.find(overlaySlot);
      if (!overlay) return;
      const folder = `${slots.take(file)}.d`;
      await mkdir(folder, { recursive: true });
      await runTool(context, ["unzip", "-q", "-o", slots.take(file), "-d", folder]);
      await checkLinks(folder);
      const partition = partitionOf(source, "root_partition");
      const image = path.join(folder, storageFile(source));
      await insertTrees(image, { format: "ext4", partition }, [overlay.root], signal);
      log.info(`The overlay is in ${storageFile(source)}, at ${overlay.lavaDir}`);
      slots.put(file, await zipped(context, folder));
    },
  };
}

function storageFile({ storage_file: file }: Mapping): string {
  if (typeof file === "string" && file !== "") return relativePath(file, "fw_package.storage_file");
  const expected = "expected the name of the image in the package that takes the overlay";
  throw new JobFailure("Job", `fw_package.storage_file is missing: ${expected}`);
}
