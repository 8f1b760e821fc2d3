import type { BootBlock } from "#protocol/job-actions.ts";
import { hostDevicePath } from "../../host/usb-devices.ts";
import { writeDevice } from "../../host/write-device.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, imagesSlot } from "../../pipeline/job-slots.ts";
import { waitDevicePath } from "../connection/wait-usb.ts";

/** How many times the progress of writing is told. */
const PROGRESS_STEPS = 20;
const CTRL_C = "\x03";

/**
 * What follows U-Boot's `ums` command: the board's flash shows up as a disk of this machine and is written with the image of
 * `deploy: to: u-boot-ums`; then U-Boot gets its prompt back (DISPATCHER.md 12).
 */
export const flashUbootUms = (_block: BootBlock, _job: JobContext): Action[] => [
  waitDevicePath(({ job }) => massStorage(job)),
  {
    name: "flash-uboot-ums",
    needs: [imagesSlot],
    validate: async ({ job }) => void massStorage(job),
    run: flash,
  },
];

async function flash(context: RunContext): Promise<void> {
  const { job, slots, connection, signal, log } = context;
  const image = slots.take(imagesSlot).get("image");
  if (!image) throw new JobFailure("Job", "no image was deployed by `to: u-boot-ums`");
  const device = massStorage(job);
  log.info(`writing ${image.path} to ${device}`);
  let told = 0;
  await writeDevice(image.path, hostDevicePath(device), {
    signal,
    onProgress: (written, total) => {
      const step = Math.floor((written / total) * PROGRESS_STEPS);
      if (step === told) return;
      told = step;
      log.debug(`progress ${Math.floor((written / total) * 100)} %`);
    },
  });
  // `ums` goes on until it is told to end; a reset by typing needs the prompt.
  await connection.take(consoleSlot).send(CTRL_C);
}

/** @throws JobFailure Configuration when the dictionary doesn't say which disk is the board's. */
function massStorage({ device }: JobContext): string {
  const method = device.actions.boot.methods?.["u-boot"] as
    | { parameters?: { uboot_mass_storage_device?: unknown } | null }
    | null
    | undefined;
  const disk = method?.parameters?.uboot_mass_storage_device;
  if (typeof disk === "string" && /^\/dev\/[^\0]+$/.test(disk) && !disk.split("/").includes("..")) {
    return disk;
  }
  throw new JobFailure(
    "Configuration",
    `uboot_mass_storage_device of the device is '${String(disk)}': expected the path of the board's disk, /dev/disk/by-id/usb-…`,
  );
}
