import { pythonRegex } from "../../console/python-regex.ts";
import { deployMethod, refusal } from "../../host/device-methods.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { untilDeadline } from "../bootloader/interrupt.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { massStoragePath, waitUsbMassStorage } from "../connection/wait-usb.ts";
import { resetDevice } from "../power/reset-device.ts";
import { downloadRetry } from "../download/download-action.ts";
import {
  deployRecoveryImage,
  extractRecoveryImage,
  mountDisk,
  unmountDisk,
} from "./mass-storage-steps.ts";

/**
 * Versatile Express boards (Juno, TC2): their firmware is on a disk that their motherboard controller offers by USB,
 * told so on the console (DISPATCHER.md 11).
 */
export const vemsdDeploy: DeployStrategy = {
  family: "deploy",
  name: "vemsd",
  refuses: (block, job) => {
    const why = refusal("deploy", "vemsd", block.to, job);
    if (why !== undefined) return why;
    const { url } = (block["recovery_image"] ?? {}) as { url?: unknown };
    return typeof url === "string" ? undefined : "recovery_image has no url";
  },
  action: (block, { job }) => {
    const archive = slot<string>("recovery image");
    const source = block["recovery_image"] as Record<string, unknown>;
    // A zip is not one compressed file here: it is unpacked by its own step.
    const kept = source["compression"] === "zip" ? { ...source, compression: undefined } : source;
    return {
      name: "vexpress-fw-deploy-retry",
      retries: true,
      gives: [consoleSlot],
      steps: [
        {
          name: "vexpress-fw-deploy",
          steps: [
            downloadRetry({ label: "recovery_image", source: kept }, archive),
            connectDevice,
            resetDevice(job, {}),
            extractRecoveryImage(archive),
            enterMcc,
            enableDisk,
            waitUsbMassStorage,
            mountDisk("mount-vexpress-usbmsd", massStoragePath),
            deployRecoveryImage,
            unmountDisk("unmount-vexpress-usbmsd"),
            ...(text(job, "flash_prompt") === "" ? [] : [eraseFlash]),
          ],
        },
      ],
    };
  },
};

const text = (job: JobContext, key: string): string =>
  String(deployMethod(job, "vemsd")[key] ?? "");

/** @throws JobFailure Configuration when the dictionary doesn't say it. */
function needed(job: JobContext, key: string): string {
  const value = text(job, key);
  if (value !== "") return value;
  const where = `actions.deploy.methods.vemsd.parameters.${key}`;
  throw new JobFailure("Configuration", `${where} of device ${job.deviceHostname} is not set`);
}

/** A conversation with the motherboard controller: what is typed and what is awaited, keys of the dictionary. */
function conversation(name: string, keys: readonly string[], talk: Action["run"]): Action {
  return {
    name,
    needs: [consoleSlot],
    onTimeout: "Infrastructure",
    validate: async ({ job }) => keys.forEach((key) => void needed(job, key)),
    ...(talk ? { run: talk } : {}),
  };
}

const awaitText = async (context: RunContext, key: string): Promise<void> => {
  const pattern = pythonRegex(needed(context.job, key));
  await context.connection.take(consoleSlot).expect({ [key]: pattern }, untilDeadline(context));
};

const typeText = ({ connection, job }: RunContext, key: string): Promise<void> =>
  connection.take(consoleSlot).sendLine(needed(job, key));

const enterMcc = conversation(
  "enter-vexpress-mcc",
  ["autorun_prompt", "mcc_prompt"],
  async (context) => {
    await awaitText(context, "autorun_prompt");
    await context.connection.take(consoleSlot).sendLine("");
    await awaitText(context, "mcc_prompt");
  },
);

const enableDisk = conversation(
  "enable-vexpress-usbmsd",
  ["msd_mount_cmd", "mcc_prompt"],
  async (context) => {
    await typeText(context, "msd_mount_cmd");
    await awaitText(context, "mcc_prompt");
  },
);

const eraseFlash = conversation(
  "erase-vexpress-flash",
  ["flash_enter_cmd", "flash_prompt", "flash_erase_cmd", "flash_erase_msg", "flash_exit_cmd"],
  async (context) => {
    await typeText(context, "flash_enter_cmd");
    await awaitText(context, "flash_prompt");
    await typeText(context, "flash_erase_cmd");
    await awaitText(context, "flash_erase_msg");
    await awaitText(context, "flash_prompt");
    await typeText(context, "flash_exit_cmd");
    await awaitText(context, "mcc_prompt");
  },
);
