import { rm } from "node:fs/promises";
import { downloadsFolder } from "../../host/job-folders.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { overlaySteps } from "./append-overlays.ts";
import { postprocessInContainer } from "./download-postprocess.ts";
import { downloadRetry } from "../download/download-action.ts";
import { blockImages, imagesRefusal } from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/**
 * Files on the worker, for later deployments (`downloads://NAME`) and for containers (`/lava-downloads`), after what
 * steps in a container made of them (DISPATCHER.md 11).
 */
export const downloadsDeploy: DeployStrategy = {
  family: "deploy",
  name: "downloads",
  refuses: (block) =>
    block.to === "downloads" ? imagesRefusal(block) : `the deployment is to ${block.to}`,
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    const docker = mappingOf(block["postprocess"])["docker"];
    return {
      name: "downloads",
      // A second deployment begins with an empty folder.
      run: ({ job, namespace }) =>
        rm(downloadsFolder(job.scratch, namespace), { recursive: true, force: true }),
      steps: [
        ...(needsOverlay ? [lavaOverlay(context, block)] : []),
        ...blockImages(block).map(({ label, source, file }) =>
          downloadRetry(
            { label, source, folder: "downloads" },
            file,
            overlaySteps(label, source, file, needsOverlay),
          ),
        ),
        ...(docker === undefined ? [] : [postprocessInContainer(docker)]),
      ],
    };
  },
};
