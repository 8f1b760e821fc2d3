import { createReadStream, createWriteStream } from "node:fs";
import { copyFile, mkdir, open } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { findMapping } from "../../host/mapping-of.ts";
import { isUimageArch, UIMAGE_HEADER_BYTES, writeUimageHeader } from "../../overlay/uimage.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { tftpFilesSlot } from "../../pipeline/job-slots.ts";
import { bootKindFor, loadAddresses } from "../bootloader/boot-kind.ts";
import { bootMethods, deployParameters, fileSlot } from "./network-files.ts";
import { kernelSlot } from "./network-slots.ts";
import { prepareFit } from "./prepare-fit.ts";

/** `prepare-kernel`: the kernel in the form that the device's bootloader takes (DISPATCHER.md 11). */
export const prepareKernel = (block: DeployBlock, job: JobContext): Action => {
  const methods = bootMethods(job);
  return {
    name: "prepare-kernel",
    steps: methods.includes("u-boot")
      ? [ubootPrepareKernel(block)]
      : methods.includes("depthcharge")
        ? [prepareFit(block)]
        : [],
  };
};

const ubootPrepareKernel = (block: DeployBlock): Action => ({
  name: "uboot-prepare-kernel",
  validate: async ({ job }) => {
    if (findMapping(block["kernel"])) conversionOf(block, job);
  },
  run: async ({ slots, job, log, signal }) => {
    let kernel = slots.find(fileSlot("kernel"));
    if (kernel === undefined) return;
    const { dtb, uimage } = conversionOf(block, job);
    const folder = path.join(slots.take(tftpFilesSlot).folder, "kernel");
    await mkdir(folder, { recursive: true, mode: 0o755 });
    if (dtb) {
      const whole = path.join(folder, "kernel-dtb");
      await copyFile(kernel, whole);
      await append(slots.take(fileSlot("dtb")), whole, signal);
      log.debug("the device tree is appended to the kernel");
      kernel = whole;
    }
    if (uimage) {
      const wrapped = path.join(folder, "uImage");
      const out = createWriteStream(wrapped, { start: UIMAGE_HEADER_BYTES });
      await pipeline(createReadStream(kernel), out, { signal });
      const file = await open(wrapped, "r+");
      await writeUimageHeader(file, { ...uimage, type: "kernel" }).finally(() => file.close());
      log.debug(
        `the kernel is a uImage for ${uimage.arch}, loaded to 0x${uimage.load.toString(16)}`,
      );
      kernel = wrapped;
    }
    slots.put(kernelSlot, kernel);
  },
});

interface Conversion {
  readonly dtb: boolean;
  readonly uimage:
    | { readonly arch: string; readonly load: number; readonly entry: number }
    | undefined;
}

/** @throws JobFailure when the device lacks what a conversion needs. */
function conversionOf(block: DeployBlock, job: JobContext): Conversion {
  const parameters = deployParameters(job);
  const { kernelType, bootCommand } = bootKindFor(findMapping(block["kernel"])?.["type"], job);
  const dtb = isTrue(parameters["append_dtb"]) && Boolean(findMapping(block["dtb"]));
  if (bootCommand !== "bootm" || kernelType === "uimage") return { dtb, uimage: undefined };
  const arch = String(parameters["mkimage_arch"] ?? "");
  if (!isUimageArch(arch)) {
    const message = `mkimage_arch of the device is '${arch}': expected an architecture such as arm or arm64, to make a uImage of the kernel`;
    throw new JobFailure("Configuration", message);
  }
  const offset = (job.device.parameters as Record<string, unknown> | null)?.["text_offset"];
  const address = String(offset ?? loadAddresses("bootm", job).kernel);
  const load = Number(address);
  if (!Number.isInteger(load) || load < 0 || load > 0xffff_ffff) {
    const message = `the kernel's load address '${address}': expected a number of 32 bits`;
    throw new JobFailure("Configuration", message);
  }
  const entry = load + (isTrue(parameters["use_xip"]) ? UIMAGE_HEADER_BYTES : 0);
  return { dtb, uimage: { arch, load, entry } };
}

/** Templates write it as text too. */
const isTrue = (value: unknown): boolean => /^true$/i.test(String(value));

const append = (file: string, to: string, signal: RunContext["signal"]): Promise<void> =>
  pipeline(createReadStream(file), createWriteStream(to, { flags: "a" }), { signal });
