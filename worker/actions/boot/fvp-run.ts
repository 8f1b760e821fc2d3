import { copyFile, link } from "node:fs/promises";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { Console } from "../../console/console.ts";
import {
  deviceContainerOptions,
  runInContainer,
  type ContainerOptions,
} from "../../drivers/container.ts";
import { pullImage } from "../../drivers/container-image.ts";
import { containerTransport } from "../../drivers/container-transport.ts";
import {
  formatted,
  fvpContainerOptions,
  readFvpBlock,
  type FvpBlock,
} from "../../drivers/flashers/fvp.ts";
import { actionFolder, imagePaths } from "../../drivers/flashers/job-files.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, imagesSlot } from "../../pipeline/job-slots.ts";
import { untilDeadline } from "../bootloader/interrupt.ts";
import { openFeedback, openProgram } from "./fvp-program.ts";
import { fvpSlot, type RunningFvp } from "./fvp-slot.ts";

/** Asks the model for its version; that is a result of its own (DISPATCHER.md 7.4). */
export const checkFvpVersion = (block: BootBlock): Action => ({
  name: "check-fvp-version",
  run: async (context) => {
    const { job, log, level, namespace } = context;
    const fvp = readFvpBlock(block, job);
    await pullImage(context, fvp.container, deviceContainerOptions(job).globalOptions);
    const options = containerOptions(context, fvp, []);
    const { output } = await runInContainer(context, options, [fvp.model, "--version"], (line) =>
      log.debug(`>> ${line}`),
    );
    const found = fvp.version.exec(output)?.[0];
    const record = { definition: "lava", namespace, case: "fvp-version", level, duration: "0.00" };
    if (found !== undefined) {
      return log.result({ ...record, result: "pass", extra: { "fvp-version": found } });
    }
    log.result({ ...record, result: "fail", extra: {} });
    const said = output.trim().split("\n").at(-1) ?? "";
    const message = `${fvp.model} --version: expected /${fvp.version.source}/, it said '${said}'`;
    throw new JobFailure("Job", message);
  },
});

/** Starts the model and waits until it has said the ports of all its consoles. */
export const runFvp = (block: BootBlock): Action => ({
  name: "run-fvp",
  gives: [fvpSlot, consoleSlot],
  run: async (context) => {
    const { job, slots, connection } = context;
    const fvp = readFvpBlock(block, job);
    const folder = await actionFolder(context, "fvp");
    // All that the model starts may be in its image.
    const images = slots.find(imagesSlot) ? imagePaths(context) : {};
    const files = await placeImages(images, folder);
    const mounts = [{ source: folder, target: folder }];
    const options = { ...containerOptions(context, fvp, mounts), workdir: folder };
    const running: RunningFvp = {
      container: options.name,
      globalOptions: options.globalOptions ?? [],
      files: { ...files, ARTIFACT_DIR: folder },
      ports: {},
      isMain: true,
    };
    slots.put(fvpSlot, running);
    const command = [fvp.model, ...fvp.arguments.map((word) => formatted(word, running.files))];
    const console = await modelConsole(context, running, options, command);
    connection.put(consoleSlot, console);
    await awaitPorts(context, console, fvp, running);
  },
});

/** The console by telnet, in the container: the model's ports are on its own loopback. */
export const connectFvpSerial = (block: BootBlock): Action => ({
  name: "fvp-serial-connect",
  needs: [fvpSlot],
  gives: [consoleSlot],
  onTimeout: "Infrastructure",
  run: async (context) => {
    const { ports } = context.slots.take(fvpSlot);
    const telnet = (port: string): string[] => ["telnet", "localhost", port];
    for (const [name, port] of Object.entries(ports)) {
      if (name !== CONSOLE) await openFeedback(context, name, telnet(port));
    }
    const port = ports[CONSOLE];
    if (port === undefined) throw new JobFailure("Job", `${String(block["image"])} said no port`);
    await openProgram(context, telnet(port));
  },
});

/** Of the model's console; no feedback can have it: NAME is what the model prints, without a blank before it. */
const CONSOLE = " console";

function containerOptions(
  { job, level }: RunContext,
  { container, environment, licenseFile }: FvpBlock,
  mounts: NonNullable<ContainerOptions["mounts"]>,
): ContainerOptions {
  const ofDevice = deviceContainerOptions(job);
  const license = licenseFile === undefined ? {} : { ARMLMD_LICENSE_FILE: licenseFile };
  return {
    image: container.image,
    name: container.name ?? `lava-${job.jobId}-${level}`,
    hostname: "lava",
    network: container.network,
    devices: container.devices,
    globalOptions: ofDevice.globalOptions,
    options: [...ofDevice.options, ...fvpContainerOptions(job)],
    environment: { ...license, ...environment },
    mounts: [
      ...mounts,
      ...(licenseFile === undefined
        ? []
        : [{ source: licenseFile, target: licenseFile, isReadOnly: true }]),
    ],
    input: "attached",
  };
}

/** All images in one folder under their own names, by label in capitals: models look beside their files. */
async function placeImages(
  images: Readonly<Record<string, string>>,
  folder: string,
): Promise<Record<string, string>> {
  const placed: Record<string, string> = {};
  const taken = new Set<string>();
  for (const [label, file] of Object.entries(images)) {
    const plain = path.basename(file);
    const name = taken.has(plain) ? `${label.replace(/[^\w.-]/g, "_")}-${plain}` : plain;
    taken.add(name);
    const target = path.join(folder, name);
    await link(file, target).catch(() => copyFile(file, target));
    placed[label.toUpperCase()] = target;
  }
  return placed;
}

/** What the model prints is the DUT's console until it has another one, and feedback from then on. */
async function modelConsole(
  context: RunContext,
  running: RunningFvp,
  options: ContainerOptions,
  command: readonly string[],
): Promise<Console> {
  const { log, namespace, defer } = context;
  const console = new Console(await containerTransport(context, options, command), {
    log: (level, text) =>
      level === "target" && (!running.isMain || context.activeNamespace() !== namespace)
        ? log.write("feedback", text, namespace)
        : log.write(level, text),
  });
  defer(() => console.close());
  console.characterDelayMs = context.characterDelayMs;
  return console;
}

/** In whichever order they come. */
async function awaitPorts(
  context: RunContext,
  console: Console,
  { console: pattern, feedbacks }: FvpBlock,
  { ports }: RunningFvp,
): Promise<void> {
  const awaited = new Map([[CONSOLE, pattern]]);
  feedbacks.forEach((feedback, index) => awaited.set(`feedback ${index}`, feedback));
  while (awaited.size > 0) {
    const { name, match } = await console.expect(Object.fromEntries(awaited), {
      ...untilDeadline(context),
      inLine: true,
    });
    awaited.delete(name);
    const { PORT, NAME } = match.groups ?? {};
    if (PORT === undefined) continue;
    if (!/^\d{1,5}$/.test(PORT)) throw new JobFailure("Job", `port '${PORT}' of the model is none`);
    ports[name === CONSOLE ? CONSOLE : (NAME ?? name).slice(0, 60)] = PORT;
  }
}
