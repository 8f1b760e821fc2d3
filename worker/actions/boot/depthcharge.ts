import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { refusal } from "../../host/device-methods.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, tftpFilesSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { bootloaderCommands } from "../bootloader/commands.ts";
import { untilDeadline } from "../bootloader/interrupt.ts";
import { deviceMethod, methodParameters } from "../bootloader/methods.ts";
import { bootloaderOverlay } from "../bootloader/overlay.ts";
import { substitute, type Placeholders } from "../bootloader/placeholders.ts";
import { resetConnection } from "../connection/connect-device.ts";
import { loginSteps } from "../login/login.ts";
import { resetDevice } from "../power/reset-device.ts";

/** A Chromebook whose depthcharge boots from the network (DISPATCHER.md 12). */
export const depthchargeBoot: BootStrategy = {
  family: "boot",
  name: "depthcharge",
  refuses: ({ method }, job) => refusal("boot", "depthcharge", method, job),
  action: (block, context) => ({
    name: "depthcharge-action",
    gives: [consoleSlot],
    steps: [
      bootloaderOverlay("depthcharge", block, {
        name: "depthcharge-overlay",
        keepsEmpty: true,
        more: (running, known) => depthchargeFiles(running, block, known),
      }),
      {
        name: "depthcharge-retry",
        retries: true,
        gives: [consoleSlot],
        steps: [
          resetConnection,
          resetDevice(context.job, block),
          depthchargeStart,
          bootloaderCommands("depthcharge", block),
          ...loginSteps(block, context),
        ],
      },
    ],
  }),
};

/** Waits until depthcharge says that it begins to boot from the network; its prompt follows. */
const depthchargeStart: Action = {
  name: "depthcharge-start",
  needs: [consoleSlot],
  defaultTimeoutSeconds: 90,
  onTimeout: "Infrastructure",
  validate: async ({ job }) => void startMessage(job),
  run: async (context) => {
    const console = context.connection.take(consoleSlot);
    await console.expect({ start: startMessage(context.job) }, untilDeadline(context));
  },
};

const startMessage = (job: JobContext): RegExp =>
  pythonRegex(String(methodParameters("depthcharge", job)["start_message"] ?? "Starting netboot"));

/**
 * What only depthcharge's commands name, beside what the deployment made for it: it reads the kernel's command line from a
 * file of its own, which is put beside the kernel.
 */
async function depthchargeFiles(
  context: RunContext,
  block: BootBlock,
  known: Placeholders,
): Promise<Placeholders> {
  const kernel = known["DEPTHCHARGE_KERNEL"] || known["KERNEL"] || "";
  const ramdisk = known["DEPTHCHARGE_RAMDISK"] ?? known["RAMDISK"] ?? "";
  return {
    DEPTHCHARGE_KERNEL: kernel,
    DEPTHCHARGE_RAMDISK: ramdisk,
    CMDLINE: await writeCommandLine(context, block, known),
  };
}

/** The file's TFTP path; empty when the block names no set of the device. */
async function writeCommandLine(
  { job, slots, log }: RunContext,
  block: BootBlock,
  known: Placeholders,
): Promise<string> {
  const template = commandLineOf(block, job);
  if (template === undefined) return "";
  const [filled = ""] = substitute([template], known, { keepsEmpty: true }).commands;
  const extra = block["extra_kernel_args"];
  const line = [filled.trim(), ...(typeof extra === "string" ? [extra.trim()] : [])].join(" ");
  const files = slots.find(tftpFilesSlot);
  if (files === undefined) {
    const message = "depthcharge needs a kernel that `deploy: to: tftp` put in place before";
    throw new JobFailure("Job", message);
  }
  const folder = path.join(files.folder, "kernel");
  await mkdir(folder, { recursive: true, mode: 0o755 });
  await writeFile(path.join(folder, "cmdline"), line, { mode: 0o644 });
  log.info(`The kernel's command line: ${line}`);
  return `${files.tftpPath}/kernel/cmdline`;
}

function commandLineOf({ commands }: BootBlock, job: JobContext): string | undefined {
  if (typeof commands !== "string") return undefined;
  const set = deviceMethod("depthcharge", job)[commands] as { cmdline?: unknown } | undefined;
  return String(set?.cmdline ?? "");
}
