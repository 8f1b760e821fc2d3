import { copyFile } from "node:fs/promises";
import path from "node:path";
import { imagePaths } from "../../drivers/flashers/job-files.ts";
import { mountMassStorage } from "../../drivers/flashers/mass-storage.ts";
import { bootMethod, refusal } from "../../host/device-methods.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { waitDevicePath, waitUsbSerial } from "../connection/wait-usb.ts";
import { powerCycled } from "./flasher-steps.ts";

/** A board whose probe is a USB disk: a file copied to it is flashed (DISPATCHER.md 12). */
export const cmsisDapBoot: BootStrategy = {
  family: "boot",
  name: "cmsis-dap",
  refuses: ({ method }, job) => refusal("boot", "cmsis-dap", method, job, ["board_id"]),
  action: (_block, { job }) => ({
    name: "boot-cmsis-retry",
    retries: true,
    needs: [imagesSlot],
    steps: [
      ...powerCycled(
        job,
        waitDevicePath(({ job: running }) => massDevice(running)),
      ),
      flashCmsis,
      ...(bootMethod(job, "cmsis-dap")["resets_after_flash"] === false ? [] : [waitUsbSerial]),
      connectDevice,
    ],
  }),
};

const flashCmsis: Action = {
  name: "flash-cmsis",
  needs: [imagesSlot],
  validate: async ({ job }) => {
    massDevice(job);
    requireTool("mount");
    requireTool("umount");
  },
  run: async (context) => {
    const images = Object.values(imagePaths(context));
    const disk = await mountMassStorage(context, massDevice(context.job));
    for (const image of images) {
      context.log.info(`copying ${path.basename(image)} to the board`);
      await copyFile(image, path.join(disk.folder, path.basename(image))).catch((cause: Error) => {
        const message = `${path.basename(image)} can't be copied to the board: ${cause.message}`;
        throw new JobFailure("Infrastructure", message, { cause });
      });
    }
    await disk.unmount();
  },
};

/** @throws JobFailure Configuration when the dictionary doesn't say where the probe's disk is. */
function massDevice(job: JobContext): string {
  const { usb_mass_device: device } = bootMethod(job, "cmsis-dap");
  if (typeof device === "string" && device.startsWith("/dev/")) return device;
  const message = `usb_mass_device of device ${job.deviceHostname} is not set: expected a path below /dev/disk/by-id`;
  throw new JobFailure("Configuration", message);
}
