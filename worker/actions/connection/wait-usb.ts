import { setTimeout as sleep } from "node:timers/promises";
import {
  isUsbDevice,
  resolveDevice,
  ttysOf,
  untilFound,
  usbDevices,
  type UsbDevice,
  type UsbMatch,
} from "../../host/usb-devices.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** What templates write where an admin has said nothing. */
const UNSET = /^(|0+|undefined|none|\/notset)$/i;

/** A key of the device's configuration as text; undefined when it is missing or what a template writes then. */
export function deviceText(job: JobContext, key: string): string | undefined {
  const value = (job.device as Record<string, unknown>)[key];
  const text = value === null || value === undefined ? "" : String(value).trim();
  return UNSET.test(text) ? undefined : text;
}

/**
 * The USB serial number of the board or its probe.
 *
 * @throws JobFailure Configuration when the dictionary doesn't say it.
 */
export function boardId(job: JobContext): string {
  const id = deviceText(job, "board_id");
  if (id !== undefined) return id;
  const message = `device ${job.deviceHostname} has no board_id: set it to the USB serial number of the board or its probe`;
  throw new JobFailure("Configuration", message);
}

/** The USB device of the board: its serial number and, when the dictionary says them, its vendor and product. */
export const boardOnUsb = (job: JobContext): UsbMatch => ({
  serial: boardId(job),
  vendorId: deviceText(job, "usb_vendor_id"),
  productId: deviceText(job, "usb_product_id"),
});

/**
 * Waits until a device with this serial number is on the USB. The number may be known only when the job
 * runs (fastboot's auto-detection); `board_id` when not given.
 */
export function waitDeviceBoardId(serialOf?: (context: RunContext) => string): Action {
  return usbWait("wait-device-boardid", {
    ...(serialOf ? {} : { needs: (job: JobContext) => void awaitedId(job) }),
    what: (context) => ({ serial: serialOf ? serialOf(context) : awaitedId(context.job) }),
  });
}

/** A board may have another number while it starts: `wait_device_board_id` of `device_info` (DEVICE.md 1.1). */
function awaitedId(job: JobContext): string {
  const ids = (job.device.device_info ?? []).map((info) => info["wait_device_board_id"]);
  const other = ids.find((id) => id !== undefined && id !== null && !UNSET.test(String(id)));
  return other === undefined ? boardId(job) : String(other);
}

/** Waits for the board as a DFU device. */
export const waitDfuDevice = usbWait("wait-dfu-device", {
  needs: (job) => void boardId(job),
  what: ({ job }) => boardOnUsb(job),
});

/** Waits until the board has a serial port on the USB, of the driver `usb_serial_driver` when that is said. */
export const waitUsbSerial = usbWait("wait-usb-serial", {
  needs: (job) => void boardId(job),
  what: ({ job }) => boardOnUsb(job),
  isReady: async (device, job) =>
    (await ttysOf(device, deviceText(job, "usb_serial_driver"))).length > 0,
});

/**
 * Waits for a Qualcomm board in emergency download mode. Its serial number is, by the firmware's age, the USB
 * serial number or only the end of the product text (`…_SN:1FD28E3F`).
 */
export const waitQdlDevice: Action = {
  name: "wait-qdl-device",
  onTimeout: "Infrastructure",
  run: async (context) => {
    const { job } = context;
    const vendorId = deviceText(job, "usb_vendor_id");
    const productId = deviceText(job, "usb_product_id");
    const whole = deviceText(job, "board_qdl_id") ?? boardId(job);
    const isIt = (device: UsbDevice): boolean =>
      isUsbDevice(device, { vendorId, productId }) &&
      (isUsbDevice(device, { serial: whole }) ||
        device.product === whole ||
        device.product.endsWith(`_SN:${whole.split("_SN:").at(-1)}`));
    await awaitDevice(context, `a QDL device ${whole}`, async () =>
      (await usbDevices()).find(isIt),
    );
  },
};

/** Waits until a path of the host is there, for example one below /dev/disk/by-id. */
export function waitDevicePath(pathOf: (context: RunContext) => string): Action {
  return {
    name: "wait-device-path",
    onTimeout: "Infrastructure",
    run: async (context) => {
      const devicePath = pathOf(context);
      await awaitDevice(context, devicePath, () => resolveDevice(devicePath));
    },
  };
}

/** The block device with the file system label of the board's mass storage. */
export const massStoragePath = (job: JobContext): string => {
  const label = deviceText(job, "usb_filesystem_label");
  if (label !== undefined && /^[\w.+ -]+$/.test(label)) {
    // As udev writes it.
    return `/dev/disk/by-label/${label.replaceAll(" ", "\\x20")}`;
  }
  const message = `device ${job.deviceHostname}: usb_filesystem_label '${label ?? ""}': expected the label of the board's file system`;
  throw new JobFailure("Configuration", message);
};

/** Waits until the board's mass storage, by its file system label, is there. */
export const waitUsbMassStorage: Action = {
  name: "wait-usb-mass-storage-device",
  onTimeout: "Infrastructure",
  validate: async ({ job }) => void massStoragePath(job),
  run: async (context) => {
    const devicePath = massStoragePath(context.job);
    await awaitDevice(context, devicePath, () => resolveDevice(devicePath));
  },
};

interface UsbWait {
  readonly needs?: (job: JobContext) => void;
  readonly what: (context: RunContext) => UsbMatch;
  readonly isReady?: (device: UsbDevice, job: JobContext) => Promise<boolean>;
}

function usbWait(name: string, { needs, what, isReady }: UsbWait): Action {
  return {
    name,
    onTimeout: "Infrastructure",
    ...(needs ? { validate: async ({ job }) => needs(job) } : {}),
    run: async (context) => {
      const wanted = what(context);
      const { serial, vendorId, productId } = wanted;
      const kind = `${vendorId ?? "*"}:${productId ?? "*"}`;
      await awaitDevice(context, `USB device ${serial ?? "*"} (${kind})`, async () => {
        for (const device of await usbDevices()) {
          if (!isUsbDevice(device, wanted)) continue;
          if (!isReady || (await isReady(device, context.job))) return device;
        }
        return undefined;
      });
    },
  };
}

/** Says what it waits for, and when in vain what there is instead; then `usb_sleep`, for slow boards. */
async function awaitDevice(
  { job, log, signal }: RunContext,
  what: string,
  look: () => Promise<unknown>,
): Promise<void> {
  log.debug(`waiting for ${what}`);
  try {
    await untilFound(look, signal);
  } catch (error) {
    const there = (await usbDevices())
      .map(({ port, vendorId, productId, serial }) => `${port} ${vendorId}:${productId} ${serial}`)
      .join(", ");
    log.error(`${what} did not appear; on the USB are: ${there || "no devices"}`);
    throw error;
  }
  log.debug(`found ${what}`);
  const settleSeconds = Number(deviceText(job, "usb_sleep") ?? 0);
  if (settleSeconds > 0) {
    await sleep(settleSeconds * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
