import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { readContainerBlock } from "../../drivers/container-image.ts";
import { bootMethod, refusal } from "../../host/device-methods.ts";
import {
  checkDescriptions,
  checkQdlVersion,
  qdlArgv,
  qdlSerial,
  readQdlFlash,
} from "../../drivers/flashers/qdl.ts";
import { toolRunner } from "../../drivers/flashers/tool-place.ts";
import { runCommand } from "../../host/spawn.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { qcomflashSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { deviceText, waitQdlDevice } from "../connection/wait-usb.ts";
import { checkCommands } from "../power/command-list.ts";
import { runDeviceCommands } from "../power/device-commands.ts";
import { resetDevice } from "../power/reset-device.ts";

/** A Qualcomm board that is written in its emergency download mode (DISPATCHER.md 12). */
export const qdlBoot: BootStrategy = {
  family: "boot",
  name: "qdl",
  refuses: ({ method }, job) => refusal("boot", "qdl", method, job, ["board_qdl_id"]),
  action: (block, { job }) => ({
    name: "boot-qdl-retry",
    retries: true,
    needs: [qcomflashSlot],
    steps: [connectDevice, resetDevice(job, block), enterQdl, waitQdlDevice, flashQdl(block)],
  }),
};

/** The lab's own commands that bring the board into the mode: a relay on a test point, a key of the board. */
const enterQdl: Action = {
  name: "enter-qdl",
  validate: async (context) =>
    checkCommands(context, bootMethod(context.job, "qdl")["enter-commands"], "qdl enter-commands"),
  run: (context) =>
    runDeviceCommands(
      context,
      bootMethod(context.job, "qdl")["enter-commands"],
      "Unable to enter qdl",
    ),
};

function flashQdl(block: BootBlock): Action {
  const container = (job: JobContext) =>
    block["docker"] === undefined ? undefined : readContainerBlock(job, block["docker"]);
  return {
    name: "flash-qdl",
    needs: [qcomflashSlot],
    validate: async ({ job, signal }) => {
      readQdlFlash(block);
      serialOf(job);
      if (container(job)) return;
      requireTool(commandOf(job));
      checkQdlVersion((await runCommand([commandOf(job), "--version"], { signal })).output);
    },
    run: async (context) => {
      const { job, slots } = context;
      const flash = readQdlFlash(block);
      const cwd = path.join(slots.take(qcomflashSlot), flash.folder);
      await checkDescriptions(cwd, flash.files);
      const run = await toolRunner(context, container(job));
      await run(qdlArgv(commandOf(job), serialOf(job), flash), { cwd });
    },
  };
}

const commandOf = (job: JobContext): string => String(bootMethod(job, "qdl")["command"] ?? "qdl");

function serialOf(job: JobContext): string {
  const serial = qdlSerial(deviceText(job, "board_qdl_id") ?? "");
  if (serial !== "") return serial;
  const message = `device ${job.deviceHostname} has no board_qdl_id: set it to the serial number that qdl shows`;
  throw new JobFailure("Configuration", message);
}
