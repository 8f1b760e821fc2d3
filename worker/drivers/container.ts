import { randomBytes } from "node:crypto";
import path from "node:path";
import { hasForeignFiles } from "../host/foreign-files.ts";
import { runCommand, type CommandResult } from "../host/spawn.ts";
import type { JobContext, RunContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { containerClient } from "./container-client.ts";
import { checkImage } from "./container-image.ts";
import { hostPath } from "./host-paths.ts";
import { jobLabel } from "./container-leftovers.ts";

/** A container as an action wants it; the client (docker or podman) and its own words are decided here. */
export interface ContainerOptions {
  readonly image: string;
  /** Unique on this machine while it lives; other programs may be told it. */
  readonly name: string;
  readonly hostname?: string;
  /** `host`, `container:NAME` or the name of a network; the client's default when not said. */
  readonly network?: string | undefined;
  readonly mounts?: readonly ContainerMount[];
  /** Paths of the host's device nodes. */
  readonly devices?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly workdir?: string;
  /** Further words for `run`, before the image. */
  readonly options?: readonly string[];
  /** Words for the client itself, before `run`: `--host=…`. */
  readonly globalOptions?: readonly string[];
  /** `attached` reads its input, `terminal` has a terminal as well; nothing to read when not said. */
  readonly input?: "attached" | "terminal";
}

export interface ContainerMount {
  readonly source: string;
  readonly target: string;
  readonly isReadOnly?: boolean;
}

/** The command line of `run`: the container goes when its program ends (DISPATCHER.md 11.5). */
export function containerArgv(
  job: JobContext,
  options: ContainerOptions,
  command: readonly string[],
): [string, ...string[]] {
  const { image, name, hostname, network, workdir, input } = options;
  const { mounts = [], devices = [], environment = {}, globalOptions = [] } = options;
  const client = [containerClient(job), ...globalOptions] as const;
  return [
    ...client,
    "run",
    "--rm",
    "--init",
    `--name=${name}`,
    `--label=${jobLabel(job.scratch)}`,
    ...(hostname === undefined ? [] : [`--hostname=${hostname}`]),
    ...(network === undefined ? [] : [`--network=${network}`]),
    ...(input === undefined ? [] : ["--interactive"]),
    ...(input === "terminal" ? ["--tty"] : []),
    ...mounts.map((mount) => `--mount=${mountText(mount, hostPath(client, mount.source))}`),
    ...devices.map((device) => `--device=${device}`),
    ...Object.entries(environment).map(([key, value]) => `--env=${key}=${value}`),
    ...(workdir === undefined ? [] : [`--workdir=${workdir}`]),
    ...(options.options ?? []),
    checkImage(image),
    ...command,
  ];
}

/**
 * Runs a command in a container of its own and waits for its end. The container is gone afterwards, at
 * the latest when the job ends, however the command was ended.
 *
 * @throws JobFailure Infrastructure when there is no client; the signal's reason when aborted.
 */
export async function runInContainer(
  context: RunContext,
  options: ContainerOptions,
  command: readonly string[],
  onLine?: (line: string) => void,
): Promise<CommandResult> {
  const { job, signal, log } = context;
  const argv = containerArgv(job, options, command);
  log.debug(`Calling: ${JSON.stringify(argv)}`);
  const kept = keepUntilEnd(context, options);
  const result = await runCommand(argv, { signal, ...(onLine ? { onLine } : {}) });
  kept.isGone = true;
  return result;
}

/**
 * Promises that a container which is about to be started is gone when the job ends or the enclosing action
 * is tried again. Set `isGone` when its program has ended by itself.
 */
export function keepUntilEnd(context: RunContext, options: ContainerOptions): { isGone: boolean } {
  const { job, defer } = context;
  const kept = { isGone: false };
  defer(async () => {
    if (!kept.isGone) await removeContainer(job, options);
    await giveBack(context, options);
  });
  return kept;
}

/** Gives each folder, with all that is in it, to whom the folder itself belongs. */
const GIVE_BACK = 'for folder; do chown -R "$(stat -c %u:%g "$folder")" "$folder"; done';

/**
 * Makes the files that a container wrote into the job's folders the worker's own: a worker that isn't root could not
 * remove what root wrote there. Done by another container of the same image; fails no job.
 */
async function giveBack(
  { job, log }: RunContext,
  { image, mounts = [], globalOptions = [] }: ContainerOptions,
): Promise<void> {
  const sources: string[] = [];
  for (const { source, isReadOnly = false } of mounts) {
    const isOurs = source === job.scratch || source.startsWith(`${job.scratch}${path.sep}`);
    if (isOurs && !isReadOnly && (await hasForeignFiles(source))) sources.push(source);
  }
  if (sources.length === 0) return;
  const folders = sources.map((source, index) => ({ source, target: `/give-back/${index}` }));
  const options = {
    image,
    globalOptions,
    name: `pumice-give-back-${job.jobId}-${randomBytes(4).toString("hex")}`,
    network: "none",
    mounts: folders,
    options: ["--user=0:0", "--entrypoint=/bin/sh"],
  };
  const command = ["-c", GIVE_BACK, "give-back", ...folders.map(({ target }) => target)];
  const { status, output } = await runCommand(containerArgv(job, options, command));
  if (status !== 0) log.warning(`files in ${sources.join(", ")} stay root's: ${output.trim()}`);
}

/** Ends a container at once and removes it; one that isn't there is well. @throws JobFailure Infrastructure. */
export async function removeContainer(
  job: JobContext,
  { name, globalOptions = [] }: Pick<ContainerOptions, "name" | "globalOptions">,
): Promise<void> {
  const client = containerClient(job);
  // A container that is removed by force alone may be given ten seconds to end first.
  await runCommand([client, ...globalOptions, "kill", name]);
  const { status, output } = await runCommand([client, ...globalOptions, "rm", "--force", name]);
  if (status === 0 || /no such container|no container with|already in progress/i.test(output)) {
    return;
  }
  throw new JobFailure(
    "Infrastructure",
    `the container ${name} can't be removed: ${output.trim()}; remove it by hand: ${client} rm --force ${name}`,
  );
}

/** What an admin wants for every container of tests and tools: `actions.test.methods.docker` (DISPATCHER.md 11.5). */
export function deviceContainerOptions({
  device,
}: JobContext): Required<Pick<ContainerOptions, "globalOptions" | "options">> {
  const { test } = device.actions as { test?: { methods?: { docker?: unknown } | null } | null };
  const { global_options, options } = (test?.methods?.docker ?? {}) as Record<string, unknown>;
  const words = (value: unknown): string[] =>
    [value].flat(2).flatMap((item) => (item === null || item === undefined ? [] : [String(item)]));
  return { globalOptions: words(global_options), options: words(options) };
}

function mountText({ target, isReadOnly = false }: ContainerMount, source: string): string {
  for (const part of [source, target]) {
    if (/[,"\n]/.test(part)) {
      throw new JobFailure("Infrastructure", `${part} can't be mounted: it has a comma or a quote`);
    }
  }
  return `type=bind,source=${source},target=${target}${isReadOnly ? ",readonly" : ""}`;
}
