import { copyFile, mkdir } from "node:fs/promises";
import path from "node:path";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { runCommand } from "../../host/spawn.ts";
import { requireTool } from "../../host/tool.ts";
import { findMapping } from "../../host/mapping-of.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { tftpFilesSlot } from "../../pipeline/job-slots.ts";
import { deployParameters, fileSlot } from "./network-files.ts";
import { fitSlot, ramdiskSlot } from "./network-slots.ts";

/**
 * `prepare-fit`: kernel, device tree and ramdisk in one image, for depthcharge boards whose `mkimage_arch` is set; others
 * load a bare kernel (DISPATCHER.md 11.2).
 */
export const prepareFit = (block: DeployBlock): Action => ({
  name: "prepare-fit",
  validate: async ({ job }) => {
    const arch = archOf(job);
    if (!arch || !findMapping(block["kernel"])) return;
    requireTool("mkimage");
    if (arch === "arm64") requireTool("xz");
    loadAddress(job);
  },
  run: async ({ slots, job, log, signal }) => {
    const arch = archOf(job);
    const downloaded = slots.find(fileSlot("kernel"));
    if (!arch || downloaded === undefined) return;
    const run = async (argv: readonly [string, ...string[]]): Promise<void> => {
      log.debug(`Calling: ${JSON.stringify(argv)}`);
      const { status, output } = await runCommand(argv, { signal });
      if (status !== 0) throw new JobFailure("Job", `${argv[0]} failed: ${output.trim()}`);
    };
    const folder = path.join(slots.take(tftpFilesSlot).folder, "kernel");
    await mkdir(folder, { recursive: true, mode: 0o755 });
    let kernel = downloaded;
    if (arch === "arm64") {
      // Depthcharge unpacks it; its room for a whole kernel is small.
      kernel = path.join(job.scratch, "fit-kernel");
      await copyFile(downloaded, kernel);
      await run(["xz", "--format=lzma", "--force", "--keep", "--suffix=.lzma", kernel]);
      kernel = `${kernel}.lzma`;
    }
    const image = path.join(folder, "image.itb");
    const dtb = slots.find(fileSlot("dtb"));
    const ramdisk = slots.find(ramdiskSlot)?.path ?? slots.find(fileSlot("ramdisk"));
    await run([
      "mkimage",
      ...["-D", "-I dts -O dtb -p 2048", "-f", "auto", "-A", arch, "-O", "linux", "-T", "kernel"],
      ...["-C", arch === "arm64" ? "lzma" : "none", "-d", kernel, "-a", loadAddress(job)],
      ...(dtb === undefined ? [] : ["-b", dtb]),
      ...(ramdisk === undefined ? [] : ["-i", ramdisk]),
      image,
    ]);
    slots.put(fitSlot, { path: image, hasRamdisk: ramdisk !== undefined });
  },
});

const archOf = (job: JobContext): string => String(deployParameters(job)["mkimage_arch"] ?? "");

function loadAddress({ device }: JobContext): string {
  const address = String(
    (device.parameters as Record<string, unknown> | null)?.["load_address"] ?? "",
  );
  if (/^(0x)?[\da-f]+$/i.test(address)) return address;
  const message = `load_address of the device is '${address}': expected a number (fit_kernel_load_address in its dictionary)`;
  throw new JobFailure("Configuration", message);
}
