import { readFile } from "node:fs/promises";
import path from "node:path";
import type { TestBlock } from "#protocol/job-actions.ts";
import { Console } from "../../console/console.ts";
import { expectPrompt } from "../../console/prompt.ts";
import { containerClient } from "../../drivers/container-client.ts";
import { pullImage, readContainerBlock } from "../../drivers/container-image.ts";
import {
  deviceContainerOptions,
  type ContainerMount,
  type ContainerOptions,
} from "../../drivers/container.ts";
import { containerTransport } from "../../drivers/container-transport.ts";
import { shareUsb, usbRules } from "../../drivers/container-usb.ts";
import { existingFolder } from "../../host/existing-folder.ts";
import { downloadsFolder } from "../../host/job-folders.ts";
import { ignoreKernel } from "../../kernel/console-kernel.ts";
import { withKernelRecord } from "../../kernel/kernel-record.ts";
import { environmentFile } from "../../overlay/environment.ts";
import { writeAnew } from "../../overlay/overlay-folder.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { consoleSlot, type Overlay } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { StrategyContext, TestStrategy } from "../../pipeline/strategy.ts";
import { disconnectDevice } from "../connection/connect-device.ts";
import { readFeedback } from "../connection/read-feedback.ts";
import { promptPatterns } from "../login/prompt-patterns.ts";
import { createOverlay } from "../overlay/create-overlay.ts";
import { boundFolders } from "./docker-bind-mounts.ts";
import { dockerTestEnvironment } from "./docker-test-environment.ts";
import { runStage } from "./run-stage.ts";

const containerOverlaySlot = slot<Overlay>("container-overlay");

/** `test: definitions` in a container on the worker, beside the DUT (DISPATCHER.md 13, TEST-SHELL.md 11). */
export const dockerTest: TestStrategy = {
  family: "test",
  name: "docker",
  refuses: (block) => {
    if (block.definitions === undefined) return "the block has no definitions";
    return block["docker"] === undefined ? "the block has no docker" : undefined;
  },
  action: (block, context) => {
    const disconnects = block["disconnect_connection"] === true;
    return {
      name: "lava-docker-test",
      onTimeout: "LAVATimeout",
      steps: [
        // The variables themselves go into the overlay, which is made next.
        { name: "lava-docker-test-set-environment", onTimeout: "LAVATimeout" },
        withEnvironment(createOverlay(context, block, containerOverlaySlot)),
        ...(disconnects ? [disconnectDevice] : []),
        dockerTestShell(block, context),
        readFeedback,
      ],
    };
  },
};

/** Adds to an overlay what only tests beside the DUT may know: how to reach it and to switch it (TEST-SHELL.md 2). */
function withEnvironment(create: Action): Action {
  return {
    ...create,
    runAfter: async (context) => {
      await create.runAfter?.(context);
      const { sourceDir } = context.slots.take(containerOverlaySlot);
      const { text } = environmentFile(dockerTestEnvironment(context.job));
      const before = await readFile(path.join(sourceDir, "environment"), "utf8");
      writeAnew(sourceDir, "environment", before + text);
    },
  };
}

const dockerTestShell = (
  block: TestBlock,
  { job: { definition }, stage }: StrategyContext,
): Action => ({
  ...(definition.protocols?.["lava-multinode"] === undefined
    ? { name: "lava-docker-test-shell", onTimeout: "LAVATimeout" }
    : { name: "lava-multinode-docker-test-shell", onTimeout: "Test" }),
  needs: [containerOverlaySlot],
  // As LAVA's: the DUT goes on talking beside its tests.
  activeNamespace: "docker-test-shell",
  validate: async ({ job }) => {
    readContainerBlock(job, block["docker"]);
    boundFolders(job);
    containerClient(job);
  },
  run: (context) =>
    withKernelRecord(context, context.connection.find(consoleSlot), () =>
      runInContainerShell(context, block, stage),
    ),
});

/** As LAVA's: jobs have it in their logs. */
const PROMPT = "docker-test-shell:";

async function runInContainerShell(
  context: RunContext,
  block: TestBlock,
  stage: number,
): Promise<void> {
  const { job, slots, log, signal, defer, timeoutSeconds } = context;
  const overlay = slots.take(containerOverlaySlot);
  const options = await containerOf(context, block, overlay);
  await pullImage(context, readContainerBlock(job, block["docker"]), options.globalOptions);
  const transport = await containerTransport(context, options, ["bash", "--norc", "-i"]);
  const console = new Console(transport, { log: (level, text) => log.write(level, text) });
  defer(() => console.close());
  ignoreKernel(console);
  await expectPrompt(console, promptPatterns([PROMPT]), { timeoutSeconds, signal, log });
  const unshare = await shareUsb(context, options);
  try {
    await runStage(context, { console, prompts: [PROMPT], overlay, stage });
  } finally {
    unshare();
  }
  await console.close();
}

async function containerOf(
  context: RunContext,
  block: TestBlock,
  overlay: Overlay,
): Promise<ContainerOptions> {
  const { job, level, namespace } = context;
  const docker = readContainerBlock(job, block["docker"]);
  const { globalOptions, options } = deviceContainerOptions(job);
  const { prefix } = job.dispatcher;
  const owner = prefix === undefined || prefix === "" ? "" : `${String(prefix)}-`;
  const from = String(block["downloads-namespace"] ?? namespace);
  const downloads = await existingFolder(downloadsFolder(job.scratch, from));
  const mounts: ContainerMount[] = [
    { source: overlay.sourceDir, target: overlay.lavaDir },
    ...(downloads === undefined ? [] : [{ source: downloads, target: "/lava-downloads" }]),
    ...boundFolders(job),
  ];
  return {
    image: docker.image,
    name: docker.name ?? `lava-docker-test-shell-${owner}${job.jobId}-${level}`,
    network: docker.network,
    devices: docker.devices,
    mounts,
    environment: { PS1: "docker-test-shell:$ " },
    input: "terminal",
    globalOptions,
    options: [...usbRules(job), ...options],
  };
}
