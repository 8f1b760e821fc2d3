import { machine } from "node:os";
import type { BootBlock } from "#protocol/job-actions.ts";
import type { Transport } from "../../console/transport.ts";
import { runCommand } from "../../host/spawn.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import {
  consoleSlot,
  guestDriveSlot,
  imagesSlot,
  placeholdersSlot,
  uefiSlot,
} from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { openConsole } from "../connection/open-console.ts";
import { loginSteps } from "../login/login.ts";
import { nfsAppend, qemuArguments, qemuProgram, type QemuMethod } from "./qemu-command.ts";
import { requireConfinement, startQemu } from "./qemu-sandbox.ts";
import { checkQemuContainer, qemuInContainer, versionInContainer } from "./qemu-container.ts";

/** A guest in QEMU, whose console is QEMU's standard input and output (DISPATCHER.md 12). */
export const qemuBoot = qemuStrategy("qemu", "qemu");
/** The same, for guests that only print: tests of kind `monitors` read them. */
export const monitorBoot = qemuStrategy("monitor", "qemu");
/** A guest whose root file system this worker exports by NFS. */
export const qemuNfsBoot = qemuStrategy("qemu-nfs", "qemu-nfs");

function qemuStrategy(name: string, method: QemuMethod): BootStrategy {
  return {
    family: "boot",
    name,
    refuses: (block, { device }) => {
      if (block.method !== name) return `the method is ${block.method}`;
      const offered = Object.keys(device.actions.boot.methods ?? {});
      if (offered.includes(method)) return undefined;
      return `the device has no boot method ${method} (it has ${offered.join(", ") || "none"})`;
    },
    action: (block, context) => ({
      name: "boot-image-retry",
      retries: true,
      needs: [imagesSlot],
      gives: [consoleSlot],
      steps: [
        { name: "boot-qemu-image", retries: true, steps: [executeQemu(block, method)] },
        ...loginSteps(block, context),
      ],
    }),
  };
}

const executeQemu = (block: BootBlock, method: QemuMethod): Action => ({
  name: "execute-qemu",
  gives: [consoleSlot],
  validate: async ({ job, signal }) => {
    const program = qemuProgram(job, method);
    if (block["docker"] !== undefined) checkQemuContainer(job, block["docker"]);
    else {
      // At once, as each starts QEMU; that there is none is told first.
      const confined = requireConfinement(job, program, signal);
      confined.catch(() => {});
      await qemuVersion(program, signal);
      await confined;
    }
    if (method === "qemu-nfs") nfsAppend(job, undefined, {});
  },
  run: (context) => startGuest(context, block, method),
});

async function startGuest(
  context: RunContext,
  block: BootBlock,
  method: QemuMethod,
): Promise<void> {
  const { job, slots, signal } = context;
  const program = qemuProgram(job, method);
  const images = slots.take(imagesSlot);
  const words = qemuArguments(
    job,
    images,
    slots.find(guestDriveSlot),
    slots.find(uefiSlot),
    method,
  );
  const known = slots.find(placeholdersSlot) ?? {};
  const append =
    method === "qemu-nfs" ? ["--append", nfsAppend(job, images.get("nfsrootfs"), known)] : [];
  // A guest that is left from the last attempt would hold the same files.
  await slots.find(consoleSlot)?.close();
  const docker = block["docker"];
  let version: string;
  let transport: Transport;
  if (docker === undefined) {
    version = await qemuVersion(program, signal);
    transport = await startQemu(context, program, [...words, ...append]);
  } else {
    version = await versionInContainer(context, docker, program);
    transport = await qemuInContainer(context, docker, [program, ...words, ...append]);
  }
  openConsole(context, transport);
  signal.throwIfAborted();
  context.record({
    qemu_version: version,
    host_arch: machine(),
    job_arch: String(job.definition.context?.["arch"]),
  });
}

const versions = new Map<string, Promise<string>>();

/** Asked once a process: it costs as much as starting a guest. */
function qemuVersion(program: string, signal: AbortSignal): Promise<string> {
  const known = versions.get(program);
  if (known) return known;
  const asked = runCommand([program, "--version"], { signal }).then(
    ({ output }) => /version (\S+)/.exec(output)?.[1] ?? "unknown",
  );
  versions.set(program, asked);
  asked.catch(() => versions.delete(program));
  return asked;
}
