import type { BootBlock } from "#protocol/job-actions.ts";
import type { Transport } from "../../console/transport.ts";
import type { JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import {
  consoleSlot,
  guestDriveSlot,
  imagesSlot,
  installerSlot,
  type DeployedImage,
  type GuestDrive,
} from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { serveFile } from "../../services/file-server.ts";
import { openConsole } from "../connection/open-console.ts";
import { loginSteps } from "../login/login.ts";
import { qemuArguments, qemuProgram } from "./qemu-command.ts";
import { requireConfinement, startQemu } from "./qemu-sandbox.ts";

/** How the installer's QEMU ended, once it has. */
const installedSlot = slot<Promise<string>>("the installer's end");

/** Runs an installer from a disc image until its machine goes off, then what it installed (DISPATCHER.md 12). */
export const qemuIsoBoot: BootStrategy = {
  family: "boot",
  name: "qemu-iso",
  refuses: ({ method }, { device }) => {
    if (method !== "qemu-iso") return `the method is ${method}`;
    const offered = Object.keys(device.actions.boot.methods ?? {});
    if (offered.includes("qemu")) return undefined;
    return `the device has no boot method qemu (it has ${offered.join(", ") || "none"})`;
  },
  action: (block: BootBlock, context) => ({
    name: "boot-installer-iso",
    retries: true,
    needs: [installerSlot],
    gives: [consoleSlot],
    steps: [
      {
        name: "execute-installer-command",
        gives: [consoleSlot, installedSlot],
        validate: async ({ job, signal }) =>
          void (await requireConfinement(job, qemuProgram(job), signal)),
        run: startInstaller,
      },
      { name: "monitor-installer-connection", needs: [installedSlot], run: awaitEnd },
      { name: "reboot-into-installed", gives: [consoleSlot], run: startInstalled },
      ...loginSteps(block, context, { alwaysShell: true }),
    ],
  }),
};

/** With `-no-reboot` the end of the installation is the end of QEMU. */
async function startInstaller(context: RunContext): Promise<void> {
  const { slots, job, log } = context;
  const { kernel, initrd, disk, preseed } = slots.take(installerSlot);
  const answers = await serveFile(context, preseed);
  const append = [
    `console=${consoleOf(job)}`,
    "DEBIAN_FRONTEND=text",
    "auto=true",
    "priority=critical",
    `preseed/url=${answers}`,
  ].join(" ");
  log.info(`The installer's answers are at ${answers}`);
  const discs = new Map([...slots.take(imagesSlot)].filter(([label]) => label === "iso"));
  const argv = [
    ...argvOf(context, discs, disk),
    "-kernel",
    kernel,
    "-initrd",
    initrd,
    "-append",
    append,
    "-no-reboot",
  ];
  const transport = await start(context, argv);
  slots.put(installedSlot, new Promise((resolve) => transport.onEnd(resolve)));
}

async function awaitEnd({ slots, signal, log }: RunContext): Promise<void> {
  const end = await Promise.race([
    slots.take(installedSlot),
    new Promise<undefined>((resolve) => {
      signal.addEventListener("abort", () => resolve(undefined), { once: true });
    }),
  ]);
  signal.throwIfAborted();
  log.info(`The installer is over: ${end}`);
  if (end?.endsWith("exit code 0")) return;
  throw new JobFailure("Job", `the installation failed: ${end}`);
}

async function startInstalled(context: RunContext): Promise<void> {
  const { slots } = context;
  const { disk } = slots.take(installerSlot);
  // The overlay's drive comes only now: an installer would ask which of two disks to take.
  await start(context, argvOf(context, new Map(), disk, slots.find(guestDriveSlot)));
}

async function start(context: RunContext, argv: readonly string[]): Promise<Transport> {
  const { slots, job, signal } = context;
  await slots.find(consoleSlot)?.close();
  const transport = await startQemu(context, qemuProgram(job), argv);
  openConsole(context, transport);
  signal.throwIfAborted();
  return transport;
}

/** The disk is the first drive: the firmware boots it once something is on it. */
function argvOf(
  { job, slots }: RunContext,
  discs: ReadonlyMap<string, DeployedImage>,
  disk: string,
  drive?: GuestDrive,
): string[] {
  const words = qemuArguments(job, discs, drive, undefined);
  const bus = slots.find(guestDriveSlot)?.interface ?? "virtio";
  const file = disk.replaceAll(",", ",,");
  return ["-drive", `format=raw,file=${file},media=disk,if=${bus},index=0`, ...words];
}

/** Where the device's systems talk; QEMU's own serial port when the dictionary doesn't say. */
function consoleOf({ device }: JobContext): string {
  const method = device.actions.boot.methods?.["qemu"] as
    | { parameters?: { boot_options?: Record<string, unknown> | null } }
    | null
    | undefined;
  const value = method?.parameters?.boot_options?.["console"];
  return typeof value === "string" && /^[\w,]+$/.test(value) ? value : "ttyS0,115200";
}
