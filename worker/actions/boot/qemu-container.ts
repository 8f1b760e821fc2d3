import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import type { Transport } from "../../console/transport.ts";
import { containerClient } from "../../drivers/container-client.ts";
import { pullImage, readContainerBlock } from "../../drivers/container-image.ts";
import {
  deviceContainerOptions,
  runInContainer,
  type ContainerOptions,
} from "../../drivers/container.ts";
import { containerTransport } from "../../drivers/container-transport.ts";
import type { JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** Passed on where the worker has them: without them QEMU is slow, or has no bridge. */
const DEVICES = ["/dev/kvm", "/dev/net/tun"];

/** Checks `docker:` of a QEMU boot before anything runs; @throws JobFailure. */
export function checkQemuContainer(job: JobContext, docker: unknown): void {
  readContainerBlock(job, docker);
  binaryOf(docker, "");
  containerClient(job);
}

/**
 * Starts QEMU in a container, in the worker's network, with the job's files at their own paths (DISPATCHER.md 12).
 * Closing it removes the container.
 */
export async function qemuInContainer(
  context: RunContext,
  docker: unknown,
  [program, ...words]: readonly [string, ...string[]],
): Promise<Transport> {
  const options = optionsFor(context, docker);
  return containerTransport(context, { ...options, input: "attached" }, [
    binaryOf(docker, program),
    ...words,
  ]);
}

/** The version of the QEMU that is in the image, which is made ready first. */
export async function versionInContainer(
  context: RunContext,
  docker: unknown,
  program: string,
): Promise<string> {
  const { globalOptions } = deviceContainerOptions(context.job);
  await pullImage(context, readContainerBlock(context.job, docker), globalOptions);
  const options = optionsFor(context, docker);
  const argv = [binaryOf(docker, program), "--version"];
  const { status, output } = await runInContainer(context, options, argv);
  const version = /version (\S+)/.exec(output)?.[1];
  if (status === 0 && version !== undefined) return version;
  const last = output.trim().split("\n").at(-1) ?? "";
  throw new JobFailure("Job", `${argv[0]} doesn't run in the container ${options.image}: ${last}`);
}

function optionsFor({ job, level }: RunContext, docker: unknown): ContainerOptions {
  const block = readContainerBlock(job, docker);
  const { globalOptions, options } = deviceContainerOptions(job);
  const random = randomBytes(5).toString("hex");
  return {
    image: block.image,
    name: block.name ?? `lava-docker-qemu-${job.jobId}-${level}-${random}`,
    network: block.network ?? "host",
    mounts: [{ source: job.scratch, target: job.scratch }],
    devices: [...DEVICES.filter((device) => existsSync(device)), ...block.devices],
    workdir: job.scratch,
    globalOptions,
    options: ["--cap-add=NET_ADMIN", ...options],
  };
}

/** `binary` of the block, else the device's program by its name: its path is the worker's, not the image's. */
function binaryOf(docker: unknown, program: string): string {
  const { binary } = (typeof docker === "object" && docker !== null ? docker : {}) as {
    binary?: unknown;
  };
  if (binary === undefined) return path.basename(program);
  if (typeof binary === "string" && /^[\w./+][\w./+-]*$/.test(binary)) return binary;
  throw new JobFailure("Job", `docker.binary '${String(binary)}': expected a program of the image`);
}
