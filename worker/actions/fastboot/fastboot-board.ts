import type { Action, JobContext, RunContext, ValidateContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { slot } from "../../pipeline/slot.ts";
import { waitDeviceBoardId } from "../connection/wait-usb.ts";

/** The serial number that `detect-fastboot-device` found; only where the dictionary leaves it open. */
export const detectedSerialSlot = slot<string>("fastboot-serial");

/** What a dictionary without a serial number renders to. */
const UNSET = "0000000000";

/** What a device's configuration says of its fastboot (DEVICE.md 1). */
export interface FastbootBoard {
  /** A USB serial number, or `udp:HOST[:PORT]` and `tcp:HOST[:PORT]` as fastboot takes them. */
  readonly serial: string;
  readonly adbSerial: string;
  /** Arguments of every fastboot call. */
  readonly options: readonly string[];
  /** The serial number is found when the job runs. */
  readonly isDetected: boolean;
  /** U-Boot's command brings the board to fastboot. */
  readonly viaUboot: boolean;
}

export function fastbootBoard({ device }: JobContext): FastbootBoard {
  const keys = device as Record<string, unknown>;
  const options = keys["fastboot_options"];
  const serial = String(keys["fastboot_serial_number"] ?? UNSET);
  return {
    serial,
    adbSerial: String(keys["adb_serial_number"] ?? UNSET),
    options: Array.isArray(options) ? options.map(String) : [],
    isDetected: keys["fastboot_auto_detection"] === true && serial === UNSET,
    viaUboot: keys["fastboot_via_uboot"] === true,
  };
}

/** Why fastboot can't be used on a device at all; undefined when it can (DISPATCHER.md 11). */
export function lacksFastboot({ device }: JobContext): string | undefined {
  const keys = device as Record<string, unknown>;
  const needed = ["fastboot_options"];
  if (keys["fastboot_auto_detection"] !== true) {
    needed.push("adb_serial_number", "fastboot_serial_number");
  }
  const missing = needed.filter((key) => keys[key] === undefined || keys[key] === null);
  return missing.length > 0 ? `the device has no ${missing.join(", ")}` : undefined;
}

/** @throws JobFailure Configuration when nothing says which board it is. */
export async function checkBoard({ job }: ValidateContext): Promise<void> {
  const { serial, isDetected } = fastbootBoard(job);
  if (isDetected || serial !== UNSET) {
    if (/^[\w:.[\]%-]+$/.test(serial) && !serial.startsWith("-")) return;
    const message = `fastboot_serial_number '${serial}': expected a serial number, udp:HOST or tcp:HOST`;
    throw new JobFailure("Configuration", message);
  }
  throw new JobFailure(
    "Configuration",
    `fastboot_serial_number is ${UNSET}: set it in the device's dictionary, or fastboot_auto_detection`,
  );
}

/** The board's serial number, which may have been found only now. */
export const serialOf = ({ job, slots }: Pick<RunContext, "job" | "slots">): string =>
  slots.find(detectedSerialSlot) ?? fastbootBoard(job).serial;

/** Fastboot over the network: there is nothing to see on the USB. */
export const isOnNetwork = (serial: string): boolean => /^(udp|tcp):/.test(serial);

const onUsb = waitDeviceBoardId(serialOf);

/** `wait-device-boardid`: until the board is on the USB; on the network fastboot itself waits for it. */
export const waitBoard: Action = {
  name: onUsb.name,
  onTimeout: "Infrastructure",
  validate: checkBoard,
  run: async (context) => {
    const serial = serialOf(context);
    if (isOnNetwork(serial)) return context.log.debug(`${serial} is on the network`);
    await onUsb.run?.(context);
  },
};
