import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { runInContainer, deviceContainerOptions } from "../container.ts";
import { pullImage, type ContainerBlock } from "../container-image.ts";
import { runTool, type Argv, type ToolOptions } from "./run-tool.ts";

/** Runs a tool where the block wants it, as `runTool` does. */
export type ToolRunner = (argv: Argv, options?: ToolOptions) => Promise<string>;

/**
 * Where a flashing tool runs: on this machine, or, with a container, in a throw-away one that sees the job's
 * files at their own paths and all of /dev: a board comes and goes on the USB while it is flashed.
 *
 * @throws JobFailure Infrastructure when the image can't be had.
 */
export async function toolRunner(
  context: RunContext,
  container: ContainerBlock | undefined,
  clientOptions: readonly string[] = [],
): Promise<ToolRunner> {
  if (!container) return (argv, options) => runTool(context, argv, options);
  const ofDevice = deviceContainerOptions(context.job);
  const globalOptions = [...ofDevice.globalOptions, ...clientOptions];
  await pullImage(context, container, globalOptions);
  let calls = 0;
  return (argv, options) =>
    runIn(context, argv, options, {
      image: container.image,
      name: `${container.name ?? `lava-${context.job.jobId}-${context.level}`}-${++calls}`,
      network: container.network,
      globalOptions,
      options: ["--privileged", "--volume=/dev:/dev", ...ofDevice.options],
      mounts: [{ source: context.job.scratch, target: context.job.scratch }],
      ...(options?.cwd === undefined ? {} : { workdir: options.cwd }),
    });
}

async function runIn(
  context: RunContext,
  argv: Argv,
  { failure = "Job", failed }: ToolOptions = {},
  options: Parameters<typeof runInContainer>[1],
): Promise<string> {
  let bad: string | undefined;
  const { status, output } = await runInContainer(context, options, argv, (line) => {
    if (failed?.test(line)) bad ??= line.trim();
    context.log.debug(`>> ${line}`);
  });
  if (status === 0 && bad === undefined) return output;
  const last = bad ?? output.trim().split("\n").at(-1) ?? "";
  throw new JobFailure(failure, `${argv[0]} failed: exit code ${status}, it said '${last}'`);
}
