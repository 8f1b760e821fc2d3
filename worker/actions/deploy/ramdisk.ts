import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { findMapping } from "../../host/mapping-of.ts";
import { isInitramfs } from "../../overlay/cpio-folders.ts";
import {
  isUimage,
  isUimageArch,
  UIMAGE_HEADER_BYTES,
  writeUimageHeader,
} from "../../overlay/uimage.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { tftpFilesSlot } from "../../pipeline/job-slots.ts";
import { deployParameters, fileSlot } from "./network-files.ts";
import { ramdiskSlot } from "./network-slots.ts";

/**
 * `extract-overlay-ramdisk`: a copy of the ramdisk that more can be put into. Nothing is extracted: the kernel unpacks
 * archives one behind the other, compressed or not, so what is to be in it is appended. Only a header of U-Boot is
 * taken off or made room for.
 */
export const extractOverlayRamdisk = (block: DeployBlock, needsOverlay: boolean): Action => ({
  name: "extract-overlay-ramdisk",
  onTimeout: "Infrastructure",
  validate: async ({ job }) => {
    if (findMapping(block["ramdisk"])) checkHeader(job);
  },
  run: async (context) => {
    const { slots, job, log, signal } = context;
    const ramdisk = findMapping(block["ramdisk"]);
    const file = slots.find(fileSlot("ramdisk"));
    if (!ramdisk || file === undefined) return;
    if (ramdisk["install_modules"] === false && ramdisk["install_overlay"] === false) {
      log.debug("the ramdisk stays as it is: install_modules and install_overlay are false");
      return;
    }
    const start = ramdisk["header"] === "u-boot" ? UIMAGE_HEADER_BYTES : 0;
    if (start > 0 && !(await isUimage(file))) {
      throw new JobFailure("Job", "ramdisk.header is u-boot, but the file has no such header");
    }
    if (!(await isInitramfs(file, start))) {
      const isUsed = needsOverlay && ramdisk["install_overlay"] !== false;
      if (isUsed || (block["modules"] && ramdisk["install_modules"] !== false)) {
        throw notInitramfs(start);
      }
      log.warning("the ramdisk is no cpio archive: taken as it is");
    }
    const offered = slots.take(tftpFilesSlot);
    const room = addsHeader(job) ? UIMAGE_HEADER_BYTES : 0;
    const target = path.join(offered.folder, "ramdisk", targetName(ramdisk, room > 0));
    await mkdir(path.dirname(target), { recursive: true, mode: 0o755 });
    await pipeline(
      createReadStream(file, { start, highWaterMark: CHUNK_BYTES }),
      createWriteStream(target, { start: room, highWaterMark: CHUNK_BYTES }),
      { signal },
    ).catch((error: unknown) => {
      signal.throwIfAborted();
      throw error;
    });
    slots.put(ramdiskSlot, { path: target, start: room });
  },
});

const CHUNK_BYTES = 1024 * 1024;

const notInitramfs = (start: number): JobFailure =>
  new JobFailure(
    "Job",
    `the ramdisk is no cpio archive${start > 0 ? " behind its header" : ""}: nothing can be put into it; ` +
      `set install_overlay and install_modules to false, or header: u-boot if it has one`,
  );

/** `compress-ramdisk`: gives it the header that the device's U-Boot wants. What it is compressed with stays. */
export const compressRamdisk: Action = {
  name: "compress-ramdisk",
  onTimeout: "Infrastructure",
  run: async (context: RunContext) => {
    const { slots, job, log } = context;
    const ramdisk = slots.find(ramdiskSlot);
    if (!ramdisk || ramdisk.start === 0) return;
    const arch = String(deployParameters(job)["mkimage_arch"]);
    const file = await open(ramdisk.path, "r+");
    try {
      await writeUimageHeader(file, { arch, type: "ramdisk" });
    } finally {
      await file.close();
    }
    log.debug(`the ramdisk has a header of U-Boot for ${arch}`);
  },
};

const addsHeader = (job: JobContext): boolean => deployParameters(job)["add_header"] === "u-boot";

function checkHeader(job: JobContext): void {
  if (!addsHeader(job)) return;
  const arch = deployParameters(job)["mkimage_arch"];
  if (typeof arch === "string" && isUimageArch(arch)) return;
  const message = `mkimage_arch of the device is '${String(arch)}': expected an architecture such as arm or arm64, for the header that add_header asks for`;
  throw new JobFailure("Configuration", message);
}

function targetName(ramdisk: Readonly<Record<string, unknown>>, hasHeader: boolean): string {
  const compression = String(ramdisk["compression"] ?? "");
  const suffix = ["gz", "xz", "bz2", "zstd"].includes(compression) ? `.${compression}` : "";
  return `ramdisk.cpio${suffix}${hasHeader ? ".uboot" : ""}`;
}
