import { writeFile } from "node:fs/promises";
import path from "node:path";
import { deployMethod, refusal } from "../../host/device-methods.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { disconnectDevice } from "../connection/connect-device.ts";
import { massStoragePath, waitUsbMassStorage } from "../connection/wait-usb.ts";
import { powerOff } from "../power/power-actions.ts";
import { resetDevice } from "../power/reset-device.ts";
import {
  blockImages,
  forgetImages,
  imageDownload,
  imagesRefusal,
  type BlockImage,
} from "./image-downloads.ts";
import {
  copyToDisk,
  deployRecoveryImage,
  diskSlot,
  extractRecoveryImage,
  mountDisk,
  unmountDisk,
  written,
} from "./mass-storage-steps.ts";

/** Arm's MPS boards: their firmware and the test's binary are files on a disk of theirs (DISPATCHER.md 11). */
export const mpsDeploy: DeployStrategy = {
  family: "deploy",
  name: "mps",
  refuses: (block, job) =>
    refusal("deploy", "mps", block.to, job, ["usb_filesystem_label"]) ??
    imagesRefusal(block) ??
    wrongLabel(blockImages(block)),
  action: (block, { job }) => {
    const images = blockImages(block);
    const inOrder = images.toSorted((a, b) => (a.label < b.label ? -1 : 1));
    const isHard = deployMethod(job, "mps")["hard-reboot"] === true;
    return {
      name: "mps-deploy",
      run: forgetImages,
      steps: [
        disconnectDevice,
        resetDevice(job, {}),
        waitUsbMassStorage,
        ...images.map((image) => imageDownload(block, unconverted(image), false)),
        mountDisk("mount-vexpress-usbmsd", massStoragePath),
        ...inOrder.flatMap((image) =>
          image.label === "recovery_image"
            ? [extractRecoveryImage(image.file), deployRecoveryImage]
            : [deployTestBinary(image)],
        ),
        ...(isHard
          ? [unmountDisk("unmount-vexpress-usbmsd"), powerOff]
          : [deployRebootText, unmountDisk("unmount-vexpress-usbmsd")]),
      ],
    };
  },
};

/** A zip is not one compressed file here: it is unpacked by the board's own step. */
const unconverted = (image: BlockImage): BlockImage =>
  image.label === "recovery_image" && image.source["compression"] === "zip"
    ? { ...image, source: { ...image.source, compression: undefined } }
    : image;

const wrongLabel = (images: readonly BlockImage[]): string | undefined => {
  const wrong = images.find(({ label }) => !/^(recovery_image|test_binary(_\w+)?)$/.test(label));
  return wrong && `images.${wrong.label}: expected recovery_image, test_binary or test_binary_NAME`;
};

const deployTestBinary = (image: BlockImage): Action => ({
  name: "deploy-mps-test-binary",
  needs: [diskSlot, image.file],
  onTimeout: "Infrastructure",
  validate: async () => void newName(image),
  run: async (context) => {
    const file = context.slots.take(image.file);
    await copyToDisk(context, file, path.join("SOFTWARE", newName(image) ?? path.basename(file)));
  },
});

function newName({ label, source }: BlockImage): string | undefined {
  const { rename } = source;
  if (rename === undefined || rename === null) return undefined;
  if (typeof rename === "string" && /^[\w][\w.+-]*$/.test(rename)) return rename;
  throw new JobFailure("Job", `images.${label}.rename '${String(rename)}': expected a file name`);
}

/** A file whose appearance makes the board start anew once its disk is let go. */
const deployRebootText: Action = {
  name: "deploy-mps-reboot-txt",
  needs: [diskSlot],
  onTimeout: "Infrastructure",
  run: async ({ slots, job }) => {
    const text = String(deployMethod(job, "mps")["reboot-string"] ?? "");
    const { folder } = slots.take(diskSlot);
    await written("reboot.txt", () => writeFile(path.join(folder, "reboot.txt"), text));
  },
};
