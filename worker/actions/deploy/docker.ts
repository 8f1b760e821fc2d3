import { refusal } from "../../host/device-methods.ts";
import { containerClient } from "../../drivers/container-client.ts";
import { pullImage, readContainerBlock } from "../../drivers/container-image.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { dockerImageSlot } from "../../pipeline/job-slots.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** An image of a container that will be the DUT (DISPATCHER.md 11). */
export const dockerDeploy: DeployStrategy = {
  family: "deploy",
  name: "docker",
  refuses: (block, job) =>
    refusal("deploy", "docker", block.to, job) ??
    (block["image"] === undefined ? "the block has no image" : undefined),
  action: (block, context) => {
    const { overlayTests, hasShell } = context;
    return {
      name: "deploy-docker",
      gives: [dockerImageSlot],
      validate: async ({ job }) => {
        readContainerBlock(job, block["image"], "name");
        containerClient(job);
      },
      run: async (runContext) => {
        const docker = readContainerBlock(runContext.job, block["image"], "name");
        await pullImage(runContext, docker, remoteOption(runContext.job));
        runContext.slots.put(dockerImageSlot, docker);
      },
      steps: [
        ...(hasShell ? [{ name: "deploy-device-env" }] : []),
        ...(overlayTests.length > 0 ? [lavaOverlay(context, block, { compress: false })] : []),
      ],
    };
  },
};

/** `docker_remote` of the dictionary: the daemon that has the containers. */
function remoteOption({ device }: JobContext): string[] {
  const method = device.actions.deploy.methods?.["docker"] as
    | { options?: { remote?: unknown } | null }
    | null
    | undefined;
  const remote = method?.options?.remote;
  return remote ? [`--host=${String(remote)}`] : [];
}
