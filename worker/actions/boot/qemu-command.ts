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
export function qemuProgram(job: JobContext): string {
  const arch = String(job.definition.context?.["arch"] ?? "");
  const available = job.device.available_architectures ?? [];
  if (!available.includes(arch)) {
    const expected = available.join(", ");
    const found = arch === "" ? "is missing" : `is ${arch}`;
    throw new JobFailure("Job", `context.arch ${found}: expected one of ${expected}`);
  }
  const { command } = qemuParameters(job);
  const name = Object.hasOwn(PROGRAM_NAMES, arch) ? PROGRAM_NAMES[arch] : arch;
  return command.endsWith("-") ? command + name : command;
}

/** The whole command line: the device's options, each image's, the firmware's folder, the overlay's drive. */
export function qemuArguments(
  job: JobContext,
  images: ReadonlyMap<string, DeployedImage>,
  drive: GuestDrive | undefined,
  uefi: string | undefined,
): string[] {
  const { options, extra } = qemuParameters(job);
  const words = [...options, ...extra].flatMap((option) => split(option, "the device's options"));
  for (const { label, path, imageArg } of images.values()) {
    if (imageArg === undefined) continue;
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

interface QemuParameters {
  command: string;
  options: string[];
  extra: string[];
}

function qemuParameters(job: JobContext): QemuParameters {
  const method = job.device.actions.boot.methods?.["qemu"] as
    | { parameters?: { command?: unknown; options?: unknown; extra?: unknown } }
    | null
    | undefined;
  const { command, options, extra } = method?.parameters ?? {};
  if (typeof command !== "string") {
    const where = "actions.boot.methods.qemu.parameters.command";
    throw new JobFailure("Configuration", `the device's ${where} is missing: expected a program`);
  }
  return { command, options: listOfTexts(options), extra: listOfTexts(extra) };
}

function split(text: string, what: string): string[] {
  try {
    return shellWords(text);
  } catch (error) {
    throw new JobFailure("Job", `${what}: ${(error as Error).message}`);
  }
}
