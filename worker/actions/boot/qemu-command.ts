import { dirname } from "node:path";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { DeployedImage, GuestDrive } from "../../pipeline/job-slots.ts";
import { shellWords } from "../../host/shell-words.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";

/** `context.arch` → the name that QEMU's program has after `qemu-system-`. */
const PROGRAM_NAMES: Readonly<Record<string, string>> = {
  amd64: "x86_64",
  arm64: "aarch64",
  armhf: "arm",
};

/** QEMU's program for the job's architecture: a device's command that ends in `-` is completed (DISPATCHER.md 12). */
export function qemuProgram(job: JobContext, method: QemuMethod = "qemu"): string {
  const arch = String(job.definition.context?.["arch"] ?? "");
  const available = job.device.available_architectures ?? [];
  if (!available.includes(arch)) {
    const expected = available.join(", ");
    const found = arch === "" ? "is missing" : `is ${arch}`;
    throw new JobFailure("Job", `context.arch ${found}: expected one of ${expected}`);
  }
  const { command } = qemuParameters(job, method);
  const name = Object.hasOwn(PROGRAM_NAMES, arch) ? PROGRAM_NAMES[arch] : arch;
  return command.endsWith("-") ? command + name : command;
}

/** Boot methods of a device that start QEMU; each has its own parameters. */
export type QemuMethod = "qemu" | "qemu-nfs";

/** The whole command line: the device's options, each image's, the firmware's folder, the overlay's drive. */
export function qemuArguments(
  job: JobContext,
  images: ReadonlyMap<string, DeployedImage>,
  drive: GuestDrive | undefined,
  uefi: string | undefined,
  method: QemuMethod = "qemu",
): string[] {
  const { options, extra } = qemuParameters(job, method);
  const words = [...options, ...extra].flatMap((option) => split(option, "the device's options"));
  for (const { label, path, imageArg } of images.values()) {
    if (imageArg === undefined) continue;
    // Of the root file system it says how the kernel mounts it: see nfsAppend.
    if (method === "qemu-nfs" && label === "nfsrootfs") continue;
    // Split first, then filled in: a path is one word whatever is in it.
    for (const word of split(imageArg, `image_arg of ${label}`)) {
      words.push(word.replaceAll(`{${label}}`, path));
    }
  }
  if (uefi !== undefined) words.push("-L", dirname(uefi), "-monitor", "none");
  if (drive) {
    const { format, path, interface: bus, driveId } = drive;
    const file = path.replaceAll(",", ",,");
    words.push("-drive", `format=${format},file=${file},media=disk,if=${bus},id=${driveId}`);
  }
  return words;
}

/**
 * The kernel's command line of a guest whose root is on NFS (DISPATCHER.md 12): from the device's `append`, the way to
 * mount it from the image's `image_arg` when the job has one.
 *
 * @throws JobFailure Configuration when the device doesn't say them.
 */
export function nfsAppend(
  job: JobContext,
  rootfs: DeployedImage | undefined,
  known: Readonly<Record<string, string>>,
): string {
  const { append } = parametersOf(job, "qemu-nfs");
  const { console, root, nfsrootargs, ipargs } = (append ?? {}) as Record<string, unknown>;
  if (typeof console !== "string" || typeof root !== "string") {
    const where = "actions.boot.methods.qemu-nfs.parameters.append";
    throw new JobFailure("Configuration", `the device's ${where}: expected console and root`);
  }
  const mounts = rootfs?.imageArg ?? String(nfsrootargs ?? "");
  const filled = mounts
    .replaceAll("{NFS_SERVER_IP}", known["NFS_SERVER_IP"] ?? "")
    .replaceAll("{NFSROOTFS}", known["NFSROOTFS"] ?? "")
    .replaceAll("{nfsrootfs}", known["NFSROOTFS"] ?? "");
  return [`console=${console}`, `root=${root}`, filled, "rw", String(ipargs ?? "")]
    .filter((word) => word !== "")
    .join(" ");
}

interface QemuParameters {
  command: string;
  options: string[];
  extra: string[];
}

function qemuParameters(job: JobContext, name: QemuMethod): QemuParameters {
  const { command, options, extra } = parametersOf(job, name);
  if (typeof command !== "string") {
    const where = `actions.boot.methods.${name}.parameters.command`;
    throw new JobFailure("Configuration", `the device's ${where} is missing: expected a program`);
  }
  return { command, options: listOfTexts(options), extra: listOfTexts(extra) };
}

function parametersOf({ device }: JobContext, name: QemuMethod): Record<string, unknown> {
  const method = device.actions.boot.methods?.[name] as
    | { parameters?: Record<string, unknown> | null }
    | null
    | undefined;
  return method?.parameters ?? {};
}

function split(text: string, what: string): string[] {
  try {
    return shellWords(text);
  } catch (error) {
    throw new JobFailure("Job", `${what}: ${(error as Error).message}`);
  }
}
