import { lstat, readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { refusal } from "../../host/device-methods.ts";
import { hostDevicePath, untilFound } from "../../host/usb-devices.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { disconnectDevice } from "../connection/connect-device.ts";
import { resetDevice } from "../power/reset-device.ts";
import { blockImages, forgetImages, imageDownload } from "./image-downloads.ts";
import { copyToDisk, diskSlot, mountDisk, unmountDisk } from "./mass-storage-steps.ts";

/** Arm's Musca boards: a binary copied to the probe's disk is flashed, and what it says of it is read there (DISPATCHER.md 11). */
export const muscaDeploy: DeployStrategy = {
  family: "deploy",
  name: "musca",
  refuses: (block, job) => {
    const why = refusal("deploy", "musca", block.to, job, ["board_id"]);
    if (why !== undefined) return why;
    const images = blockImages(block);
    const [only, ...more] = images;
    if (only?.label !== "test_binary" || more.length > 0)
      return "expected images.test_binary, and no other";
    return typeof only.source["url"] === "string" ? undefined : "images.test_binary has no url";
  },
  action: (block, { job }) => {
    const [binary] = blockImages(block);
    if (!binary) throw new Error("a refused block has no plan");
    return {
      name: "musca-deploy",
      retries: true,
      run: forgetImages,
      steps: [
        disconnectDevice,
        imageDownload(block, binary, false),
        resetDevice(job, {}),
        waitPath,
        mountDisk("mount-musca-usbmsd", diskPath),
        {
          name: "deploy-musca-test-binary",
          needs: [diskSlot, binary.file],
          onTimeout: "Infrastructure",
          run: (context) => {
            const file = context.slots.take(binary.file);
            return copyToDisk(context, file, path.basename(file));
          },
        },
        unmountDisk("unmount-musca-usbmsd"),
        waitNewPath,
        mountDisk("mount-musca-usbmsd", diskPath),
        checkFlash,
        unmountDisk("unmount-musca-usbmsd"),
      ],
    };
  },
};

/** @throws JobFailure Configuration when the dictionary doesn't say which disk is the board's. */
function diskPath(job: JobContext): string {
  const { id_serial: serial } = (job.device.actions.deploy.methods?.["musca"] ?? {}) as {
    id_serial?: unknown;
  };
  if (typeof serial === "string" && /^[\w][\w.:+-]*$/.test(serial)) {
    return `/dev/disk/by-id/${serial}`;
  }
  const message = `id_serial of device ${job.deviceHostname} is not set: expected the name of the board's disk below /dev/disk/by-id`;
  throw new JobFailure("Configuration", message);
}

/** Which link it is that leads to the disk: a new one comes when the board has flashed and is there again. */
const linkSlot = slot<string>("musca disk");

const waitPath: Action = {
  name: "wait-musca-path",
  gives: [linkSlot],
  onTimeout: "Infrastructure",
  validate: async ({ job }) => void diskPath(job),
  run: async ({ slots, job, signal, log }) => {
    log.debug(`waiting for ${diskPath(job)}`);
    slots.put(linkSlot, await untilFound(() => linkOf(job), signal));
  },
};

const waitNewPath: Action = {
  ...waitPath,
  needs: [linkSlot],
  run: async ({ slots, job, signal, log }) => {
    const before = slots.take(linkSlot);
    log.debug(`waiting for ${diskPath(job)} to come back`);
    const link = await untilFound(async () => {
      const now = await linkOf(job);
      return now === before ? undefined : now;
    }, signal);
    slots.put(linkSlot, link);
  },
};

const linkOf = (job: JobContext): Promise<string | undefined> =>
  lstat(hostDevicePath(diskPath(job))).then(
    ({ ino, ctimeMs }) => `${ino} ${ctimeMs}`,
    () => undefined,
  );

/** Longest reason that is taken from the board. */
const MAX_REASON_CHARS = 500;

const checkFlash: Action = {
  name: "check-musca-flash",
  needs: [diskSlot],
  onTimeout: "Infrastructure",
  run: async ({ slots }) => {
    const { folder } = slots.take(diskSlot);
    const bad = (await readdir(folder)).find((name) => name.toUpperCase() === "FAIL.TXT");
    if (bad === undefined) return;
    const reason = await readFile(path.join(folder, bad), "latin1").catch(() => "no reason given");
    const shown = reason.trim().slice(0, MAX_REASON_CHARS);
    throw new JobFailure("Infrastructure", `the board refused the binary: ${shown}`);
  },
};
