import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { refusal } from "../../host/device-methods.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { imagesSlot, placeholdersSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { checkCommands } from "../power/command-list.ts";
import { runDeviceCommands } from "../power/device-commands.ts";
import { blockImages, forgetImages, imageDownload } from "./image-downloads.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** Where the device's commands run: a folder of the block's own in the job's. */
const folderSlot = slot<string>("flasher folder");

/** Images that the lab's own commands bring onto a board (DISPATCHER.md 11). */
export const flasherDeploy: DeployStrategy = {
  family: "deploy",
  name: "flasher",
  refuses: (block, job) => {
    const lacks = refusal("deploy", "flasher", block.to, job);
    if (lacks !== undefined) return lacks;
    if (!Array.isArray(commandsOf(job))) return "the device's flasher has no commands";
    // What isn't downloaded becomes an argument as it stands: an address can't be taken for an option.
    const wrong = blockImages(block).find(({ source }) => !/^\w+:\/\//.test(String(source["url"])));
    return wrong && `images.${wrong.label} has no url`;
  },
  action: (block, context) => {
    const needsOverlay = context.overlayTests.length > 0;
    const fetched = blockImages(block).filter(({ source }) => source["download"] !== false);
    return {
      name: "deploy-flasher-retry",
      retries: true,
      steps: [
        {
          name: "deploy-flasher",
          gives: [imagesSlot, folderSlot],
          validate: async (context_) => checkCommands(context_, commandsOf(context.job), COMMANDS),
          run: prepare,
          steps: [
            ...(needsOverlay ? [lavaOverlay(context, block)] : []),
            ...fetched.map((image) => imageDownload(block, image, needsOverlay)),
            ...(context.hasShell ? [{ name: "deploy-device-env" }] : []),
          ],
          runAfter: (run) => flash(run, block),
        },
      ],
    };
  },
};

const COMMANDS = "actions.deploy.methods.flasher.commands";

const commandsOf = ({ device }: JobContext): unknown =>
  mappingOf(mappingOf(device.actions.deploy.methods)["flasher"])["commands"];

const prepare: NonNullable<Action["run"]> = async (context) => {
  await forgetImages?.(context);
  const folder = path.join(context.job.scratch, `flasher-${context.level}`);
  await mkdir(folder, { recursive: true });
  context.slots.put(folderSlot, folder);
};

async function flash(context: RunContext, block: DeployBlock): Promise<void> {
  const { job, slots } = context;
  const values = new Map(Object.entries(slots.find(placeholdersSlot) ?? {}));
  for (const { label, source } of blockImages(block)) {
    const file = slots.find(imagesSlot)?.get(label)?.path;
    values.set(label.toUpperCase(), file ?? String(source["url"]));
  }
  await runDeviceCommands(context, commandsOf(job), "Unable to flash", {
    cwd: slots.take(folderSlot),
    fill: (word) => word.replace(/\{(\w+)\}/g, (whole, name: string) => values.get(name) ?? whole),
  });
}
