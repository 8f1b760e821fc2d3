import { refusal } from "../../host/device-methods.ts";
import type { BootBlock } from "#protocol/job-actions.ts";
import { containerClient } from "../../drivers/container-client.ts";
import type { ContainerMount, ContainerOptions } from "../../drivers/container.ts";
import { containerTransport } from "../../drivers/container-transport.ts";
import { existingFolder } from "../../host/existing-folder.ts";
import { downloadsFolder } from "../../host/job-folders.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { shellWords } from "../../host/shell-words.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import {
  consoleSlot,
  dockerImageSlot,
  overlaySlot,
  promptsSlot,
} from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { PromptWait } from "../../console/prompt.ts";
import { ignoreKernel } from "../../kernel/console-kernel.ts";
import { openConsole } from "../connection/open-console.ts";
import { promptPatterns } from "../login/prompt-patterns.ts";
import { exportDeviceEnv, expectShell } from "../login/shell-session.ts";

/** A container as the DUT; its terminal is the console (DISPATCHER.md 12). */
export const dockerBoot: BootStrategy = {
  family: "boot",
  name: "docker",
  refuses: (block, job) => {
    const refused = refusal("boot", "docker", block.method, job);
    if (refused !== undefined) return refused;
    return typeof block["command"] === "string" ? undefined : "the block has no command";
  },
  action: (block, { hasShell }) => ({
    name: "boot-docker",
    retries: true,
    steps: [dockerRun(block), ...(hasShell ? [expectShell, exportDeviceEnv] : [])],
  }),
};

const dockerRun = (block: BootBlock): Action => ({
  name: "docker-run",
  needs: [dockerImageSlot],
  gives: [consoleSlot, promptsSlot],
  validate: async ({ job }) => {
    containerClient(job);
    methodOptions(job);
    commandOf(block);
  },
  run: async (context) => {
    const { slots } = context;
    await slots.find(consoleSlot)?.close();
    const options = await containerOf(context, block);
    const console = openConsole(
      context,
      await containerTransport(context, options, commandOf(block)),
    );
    ignoreKernel(console);
    const prompts = listOfTexts(block["prompts"]);
    slots.put(promptsSlot, prompts);
    if (prompts.length === 0) return;
    // The first prompt is nobody's answer. Without one it is for those who need one to say so.
    const { connectionTimeoutSeconds, signal, log } = context;
    const wait = new PromptWait(console, promptPatterns(prompts), { signal, log });
    await wait.within(connectionTimeoutSeconds);
  },
});

/** @throws JobFailure Job when a quote is not closed. */
function commandOf(block: BootBlock): string[] {
  try {
    return shellWords(String(block["command"]));
  } catch (error) {
    throw new JobFailure("Job", `boot.command: ${(error as Error).message}`);
  }
}

async function containerOf(context: RunContext, block: BootBlock): Promise<ContainerOptions> {
  const { job, slots, namespace, level } = context;
  const docker = slots.take(dockerImageSlot);
  const overlay = slots.find(overlaySlot);
  const from = String(block["downloads-namespace"] ?? namespace);
  const downloads = await existingFolder(downloadsFolder(job.scratch, from));
  const { prefix } = job.dispatcher;
  const owner = prefix === undefined || prefix === "" ? "" : `${String(prefix)}-`;
  const { remote, words } = methodOptions(job);
  const mounts: ContainerMount[] = [
    ...(overlay ? [{ source: overlay.sourceDir, target: overlay.lavaDir }] : []),
    ...(downloads === undefined ? [] : [{ source: downloads, target: "/lava-downloads" }]),
  ];
  if (remote !== undefined && mounts.length > 0) {
    const message = `the containers of this device are on ${remote}, which has no folders of this worker: use tests that need no overlay, or a device whose containers are here`;
    throw new JobFailure("Configuration", message);
  }
  return {
    image: docker.image,
    name: docker.name ?? `lava-${owner}${job.jobId}-${level}`,
    network: docker.network,
    hostname: "lava",
    mounts,
    input: "terminal",
    globalOptions: remote === undefined ? [] : [`--host=${remote}`],
    options: words,
  };
}

/** What the dictionary says of its containers (DEVICE.md 1.5). */
function methodOptions({ device }: JobContext): { remote: string | undefined; words: string[] } {
  const method = device.actions.boot.methods?.["docker"] as
    | { options?: Record<string, unknown> | null }
    | null
    | undefined;
  const { remote, cpus, memory, privileged, ...lists } = method?.options ?? {};
  const each = (key: string, option: string): string[] =>
    listOfTexts(lists[key]).map((value) => `--${option}=${value}`);
  return {
    remote: remote ? String(remote) : undefined,
    words: [
      ...(Number(cpus) > 0 ? [`--cpus=${Number(cpus)}`] : []),
      ...(memory && memory !== "0" ? [`--memory=${String(memory)}`] : []),
      ...(privileged === true ? ["--privileged"] : []),
      ...each("capabilities", "cap-add"),
      ...each("devices", "device"),
      ...each("networks", "network"),
      ...each("volumes", "volume"),
      ...listOfTexts(lists["extra_arguments"]),
    ],
  };
}
