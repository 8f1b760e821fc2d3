import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { listOfTexts } from "../host/list-of-texts.ts";
import { hostEnvironment, runCommand, type CommandResult } from "../host/spawn.ts";
import type { JobContext, RunContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { containerClient } from "./container-client.ts";
import { checkContainerDevice } from "./container-devices.ts";

/** The `docker:` block of a job's action (JOB.md 5.3), checked. */
export interface ContainerBlock {
  readonly image: string;
  /** An image that is there is not pulled. */
  readonly isLocal: boolean;
  /** Name of the container, completed with the job's number; the action's own when not said. */
  readonly name: string | undefined;
  readonly network: string | undefined;
  readonly devices: readonly string[];
  readonly login: Readonly<Record<"registry" | "user" | "password", string>> | undefined;
}

/** Reads a `docker:` block; `imageKey` is `name` in some places. @throws JobFailure Job. */
export function readContainerBlock(
  job: JobContext,
  block: unknown,
  imageKey: "image" | "name" = "image",
): ContainerBlock {
  const fields = (typeof block === "string" ? { [imageKey]: block } : (block ?? {})) as Record<
    string,
    unknown
  >;
  const image = fields[imageKey];
  if (typeof image !== "string") {
    throw new JobFailure("Job", `docker.${imageKey} is missing: expected the name of an image`);
  }
  const from = fields["network_from"];
  const login = fields["login"] as ContainerBlock["login"];
  const isWhole = [login?.registry, login?.user, login?.password].every(
    (value) => typeof value === "string" && !value.startsWith("-"),
  );
  if (login && !isWhole) {
    throw new JobFailure("Job", "docker.login: expected registry, user and password");
  }
  return {
    image: checkImage(image),
    isLocal: fields["local"] === true,
    name: containerNameOf(job, fields["container_name"]),
    network: from === undefined ? undefined : `container:${containerNameOf(job, from)}`,
    devices: listOfTexts(fields["devices"]).map((device) => checkContainerDevice(job, device)),
    login,
  };
}

/**
 * Makes the image ready: pulls it unless it is local and there. Another machine's architecture is only
 * warned about (DISPATCHER.md 11.5).
 *
 * @throws JobFailure Infrastructure when it can't be had.
 */
export async function pullImage(
  context: RunContext,
  { image, isLocal, login }: Pick<ContainerBlock, "image" | "isLocal" | "login">,
  globalOptions: readonly string[] = [],
): Promise<void> {
  const { job, signal, log } = context;
  const client = containerClient(job);
  const run = (words: readonly string[], more: object = {}): Promise<CommandResult> =>
    runCommand([client, ...globalOptions, ...words], { signal, ...more });
  const inspect = ["image", "inspect", "--format={{.Architecture}}", image];
  let found = isLocal ? await run(inspect) : undefined;
  if (found?.status !== 0) {
    // A registry's refusal alone would hide that the daemon couldn't be asked.
    if (found) log.info(`${image} can't be had here: ${lastLine(found.output)}`);
    const env = login ? await logIn(context, login, globalOptions) : hostEnvironment();
    log.info(`pulling ${image}`);
    const onLine = (line: string): void => log.debug(`>> ${line}`);
    const { status, output } = await run(["pull", image], { env, onLine });
    if (status !== 0) {
      const why = lastLine(output);
      throw new JobFailure("Infrastructure", `Unable to pull docker image '${image}': ${why}`);
    }
    found = await run(inspect);
  }
  const theirs = found.output.trim();
  const ours = ARCHITECTURES[process.arch] ?? process.arch;
  if (found.status === 0 && theirs !== ours) {
    log.warning(`the image ${image} is for ${theirs}, this machine is ${ours}`);
  }
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

/** Logs in at a registry for this job only; the password is in no command line and no file outlives the job. */
async function logIn(
  { job, level, signal, defer }: RunContext,
  { registry, user, password }: NonNullable<ContainerBlock["login"]>,
  globalOptions: readonly string[],
): Promise<Record<string, string>> {
  const folder = path.join(job.scratch, `registry-${level}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  defer(() => rm(folder, { recursive: true, force: true }));
  // The first is docker's, the second podman's.
  const env = hostEnvironment({
    DOCKER_CONFIG: folder,
    REGISTRY_AUTH_FILE: path.join(folder, "auth.json"),
  });
  const { status, output } = await runCommand(
    [
      containerClient(job),
      ...globalOptions,
      "login",
      `--username=${user}`,
      "--password-stdin",
      registry,
    ],
    { input: password, env, signal },
  );
  if (status === 0) return env;
  throw new JobFailure("Infrastructure", `Unable to log in at '${registry}': ${output.trim()}`);
}

/** LAVA's pattern (DISPATCHER.md 11.5): no name that passes can be an option. */
const IMAGE = /^[a-z0-9]+[a-z0-9._/:-]*[a-z0-9]+(:[a-zA-Z0-9_]+[a-zA-Z0-9._-]*)?$/;

/** @throws JobFailure Job when it is no safe name of an image. */
export function checkImage(image: string): string {
  // A bounded length bounds the pattern's cost too.
  if (image.length <= 255 && IMAGE.test(image)) return image;
  const expected = "lower-case letters, digits and ._/:- with a letter or digit at both ends";
  throw new JobFailure("Job", `docker image name '${image.slice(0, 80)}': expected ${expected}`);
}

function containerNameOf({ jobId }: JobContext, name: unknown): string | undefined {
  if (name === undefined || name === null) return undefined;
  const text = String(name);
  if (/^[A-Za-z0-9][\w.-]{0,63}$/.test(text)) return `${text}-lava-${jobId}`;
  const expected = "letters, digits and _.- only, with a letter or digit at its begin";
  throw new JobFailure("Job", `docker container name '${text.slice(0, 80)}': expected ${expected}`);
}
