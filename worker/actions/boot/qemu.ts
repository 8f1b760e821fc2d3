import { machine } from "node:os";
import { processTransport } from "../../drivers/process-transport.ts";
import { runCommand } from "../../host/spawn.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { consoleSlot, guestDriveSlot, imagesSlot, uefiSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { openConsole } from "../connection/open-console.ts";
import { loginSteps } from "../login/login.ts";
import { qemuArguments, qemuProgram } from "./qemu-command.ts";

/** A guest in QEMU, whose console is QEMU's standard input and output (DISPATCHER.md 12). */
export const qemuBoot: BootStrategy = {
  family: "boot",
  name: "qemu",
  refuses: ({ method, docker }, { device }) => {
    if (method !== "qemu") return `the method is ${method}`;
    if (docker !== undefined) return "QEMU in a container is not supported yet";
    const offered = Object.keys(device.actions.boot.methods ?? {});
    if (offered.includes("qemu")) return undefined;
    return `the device has no boot method qemu (it has ${offered.join(", ") || "none"})`;
  },
  action: (block, context) => ({
    name: "boot-image-retry",
    retries: true,
    needs: [imagesSlot],
    gives: [consoleSlot],
    steps: [
      { name: "boot-qemu-image", retries: true, steps: [executeQemu] },
      ...loginSteps(block, context),
    ],
  }),
};

const executeQemu: Action = {
  name: "execute-qemu",
  gives: [consoleSlot],
  validate: async ({ job, signal }) => void (await qemuVersion(qemuProgram(job), signal)),
  run: startGuest,
};

async function startGuest(context: RunContext): Promise<void> {
  const { job, slots, log, signal } = context;
  const program = qemuProgram(job);
  const version = await qemuVersion(program, signal);
  const args = qemuArguments(
    job,
    slots.take(imagesSlot),
    slots.find(guestDriveSlot),
    slots.find(uefiSlot),
  );
  // A guest that is left from the last attempt would hold the same files.
  await slots.find(consoleSlot)?.close();
  log.debug(`Calling: ${JSON.stringify([program, ...args])}`);
  const transport = await processTransport([program, ...args], { cwd: job.scratch });
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
