import type { UsbMatch } from "../../host/usb-devices.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { filledWords, type Argv } from "./run-tool.ts";

interface DfuImage {
  readonly label: string;
  readonly path: string;
  readonly imageArg: string | undefined;
}

/**
 * One call of dfu-util for each image with an `image_arg` (`--alt x --download {label}`). The last one resets the
 * board when it can be started that way.
 *
 * @throws JobFailure Job when no image has one.
 */
export function dfuArgvs(
  command: string,
  board: UsbMatch,
  images: readonly DfuImage[],
  resets: boolean,
): Argv[] {
  const told = images.filter(({ imageArg }) => imageArg !== undefined);
  if (told.length === 0) {
    const expected = "expected `image_arg: --alt NAME --download {LABEL}`";
    throw new JobFailure("Job", `no image has an image_arg for dfu-util: ${expected}`);
  }
  return told.map(({ label, path, imageArg = "" }, index) => [
    command,
    ...(board.serial === undefined ? [] : ["--serial", board.serial]),
    ...(board.vendorId === undefined
      ? []
      : ["--device", `${board.vendorId}:${board.productId ?? "*"}`]),
    ...filledWords(imageArg, { [label]: path }, `image_arg of ${label}`),
    ...(resets && index === told.length - 1 ? ["--reset"] : []),
  ]);
}
