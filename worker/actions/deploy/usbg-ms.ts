import { refusal } from "../../host/device-methods.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import type { JobContext, RunContext } from "../../pipeline/action.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { checkCommands } from "../power/command-list.ts";
import { runDeviceCommands } from "../power/device-commands.ts";
import { downloadRetry } from "../download/download-action.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

const imageSlot = slot<string>("usbg-ms image");

/** An image that a gadget of the worker shows to the board as a USB disk, until the job ends (DISPATCHER.md 11). */
export const usbgMsDeploy: DeployStrategy = {
  family: "deploy",
  name: "usbg-ms",
  refuses: (block, job) => {
    const lacks = refusal("deploy", "usbg-ms", block.to, job);
    if (lacks !== undefined) return lacks;
    const keys = Object.keys(commandsOf(job)).sort().join(", ");
    if (keys !== "disable, enable")
      return `the device's usbg-ms has ${keys || "nothing"}: expected enable and disable`;
    return mappingOf(block["image"])["url"] === undefined
      ? "the block has no image.url"
      : undefined;
  },
  action: (block, context) => {
    const source = mappingOf(block["image"]);
    return {
      name: "usbg-ms",
      onTimeout: "Infrastructure",
      validate: async (where) => {
        const { enable, disable } = commandsOf(context.job);
        checkCommands(where, enable, "actions.deploy.methods.usbg-ms.enable");
        checkCommands(where, disable, "actions.deploy.methods.usbg-ms.disable");
      },
      steps: [
        ...(context.overlayTests.length > 0 ? [lavaOverlay(context, block)] : []),
        downloadRetry({ label: "image", source }, imageSlot),
        ...(context.hasShell ? [{ name: "deploy-device-env" }] : []),
      ],
      runAfter: enable,
    };
  },
};

const commandsOf = ({ device }: JobContext): Record<string, unknown> => ({
  ...mappingOf(mappingOf(device.actions.deploy.methods)["usbg-ms"]),
});

async function enable(context: RunContext): Promise<void> {
  const { job, slots, log, defer } = context;
  const commands = commandsOf(job);
  // What an earlier job left would be in the way; most often there is nothing.
  await runDeviceCommands(context, commands["disable"], "Unable to disable usbg-ms").catch(
    (error: unknown) => {
      context.signal.throwIfAborted();
      log.debug(JobFailure.from(error).message);
    },
  );
  const image = slots.take(imageSlot);
  defer(async () => {
    // Also when the job was canceled: the signal is over by then.
    const signal = AbortSignal.timeout(CLEANUP_MS);
    await runDeviceCommands(
      { ...context, signal },
      commands["disable"],
      "Unable to disable usbg-ms",
    );
  });
  await runDeviceCommands(context, commands["enable"], "Unable to enable usbg-ms", {
    fill: (word) => word.replaceAll("{IMAGE}", image),
  });
}

const CLEANUP_MS = 60_000;
