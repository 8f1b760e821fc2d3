import { randomUUID } from "node:crypto";
import { chmod, copyFile, mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { containerClient } from "../../drivers/container-client.ts";
import { pullImage, readContainerBlock } from "../../drivers/container-image.ts";
import { deviceContainerOptions, runInContainer } from "../../drivers/container.ts";
import { dispatcherIp } from "../../host/dispatcher-ip.ts";
import { downloadsFolder } from "../../host/job-folders.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import { shellQuote } from "../../overlay/shell-quote.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { overlayTarballSlot, placeholdersSlot } from "../../pipeline/job-slots.ts";

const IN_CONTAINER = "/lava-downloads";
const SCRIPT = "postprocess.sh";

/** `download-postprocess-docker`: the job's own steps on what was downloaded, in a container (DISPATCHER.md 11.5). */
export const postprocessInContainer = (docker: unknown): Action => ({
  name: "download-postprocess-docker",
  validate: async ({ job }) => {
    readContainerBlock(job, docker);
    containerClient(job);
    stepsOf(docker);
  },
  run: (context) => postprocess(context, docker),
});

async function postprocess(context: RunContext, docker: unknown): Promise<void> {
  const { job, slots, level, namespace, log } = context;
  const block = readContainerBlock(job, docker);
  const folder = downloadsFolder(job.scratch, namespace);
  await mkdir(folder, { recursive: true });
  const overlay = slots.find(overlayTarballSlot);
  if (overlay !== undefined) await copyFile(overlay, path.join(folder, path.basename(overlay)));
  const dynamic = slots.find(placeholdersSlot) ?? {};
  const script = path.join(folder, SCRIPT);
  await rm(script, { force: true });
  await writeFile(script, scriptText(job, stepsOf(docker), dynamic), { flag: "wx" });
  await chmod(script, 0o755);
  const { globalOptions, options } = deviceContainerOptions(job);
  await pullImage(context, block, globalOptions);
  const { status } = await runInContainer(
    context,
    {
      image: block.image,
      name: block.name ?? `lava-${job.jobId}-${level}-${randomUUID()}`,
      network: block.network,
      devices: block.devices,
      mounts: [{ source: folder, target: IN_CONTAINER }],
      workdir: IN_CONTAINER,
      globalOptions,
      options,
    },
    [`${IN_CONTAINER}/${SCRIPT}`],
    (line) => log.debug(`>> ${line}`),
  );
  if (status === 0) return;
  throw new JobFailure(
    "Job",
    `the postprocess steps failed with exit code ${status}; what they said is above`,
  );
}

/** What the container runs; the first step that fails ends it. */
export function scriptText(
  job: JobContext,
  steps: readonly string[],
  dynamic: Readonly<Record<string, string>>,
): string {
  const { dispatcher, definition, jobId } = job;
  const of = (name: string): [string, unknown][] => (dynamic[name] ? [[name, dynamic[name]]] : []);
  const variables: [string, unknown][] = [
    ...(dynamic["NFSROOTFS"]
      ? ([["NFS_ROOTFS", dynamic["NFSROOTFS"]]] as [string, unknown][])
      : []),
    ...of("NFS_SERVER_IP"),
    ...Object.entries(definition.environment ?? {}),
    ["LAVA_JOB_ID", jobId],
    ["LAVA_DISPATCHER_IP", dispatcherIp(dispatcher)],
    ["LAVA_DISPATCHER_PREFIX", dispatcher["prefix"]],
    ["HTTP_CACHE", dispatcher["http_url_format_string"]],
  ];
  const exports = variables
    .filter(([name, value]) => /^[A-Za-z_]\w*$/.test(name) && value !== undefined && value !== "")
    .map(([name, value]) => `export ${name}=${shellQuote(String(value))}`);
  return ["#!/bin/sh", "exec 2>&1", "set -ex", ...exports, ...steps, ""].join("\n");
}

/** @throws JobFailure Job when there are none. */
function stepsOf(docker: unknown): string[] {
  const { steps } = mappingOf(docker);
  if (Array.isArray(steps) && steps.every((step) => typeof step === "string")) return steps;
  throw new JobFailure("Job", "postprocess.docker.steps: expected a list of commands");
}
