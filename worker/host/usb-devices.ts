import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A device on the host's USB, as the kernel describes it in sysfs. */
export interface UsbDevice {
  /** Port path, what uuu and bcu call it by too: `1-2.3`. */
  readonly port: string;
  /** Four hexadecimal digits, lower case. */
  readonly vendorId: string;
  readonly productId: string;
  /** Empty when the device has none. */
  readonly serial: string;
  readonly product: string;
  /** `/dev/bus/usb/001/004`. */
  readonly node: string;
  readonly folder: string;
}

/** What a USB device must have to be the one; what is undefined may be anything. */
export interface UsbMatch {
  readonly serial?: string | undefined;
  readonly vendorId?: string | undefined;
  readonly productId?: string | undefined;
}

/** Between two looks: short beside what a board needs to enumerate, and cheap. */
const LOOK_MS = 200;

/**
 * Where the host's /sys and /dev are. PUMICE_SYS and PUMICE_DEV say so when the worker runs in a container
 * that has the host's elsewhere.
 */
export const hostRoots = (): { sys: string; dev: string } => ({
  sys: process.env["PUMICE_SYS"] ?? "/sys",
  dev: process.env["PUMICE_DEV"] ?? "/dev",
});

/** A path below /dev as this process sees it; any other stays as it is. */
export function hostDevicePath(devicePath: string): string {
  const plain = path.posix.normalize(devicePath);
  return plain.startsWith("/dev/")
    ? path.join(hostRoots().dev, plain.slice("/dev/".length))
    : devicePath;
}

/** Everything that is on the host's USB now; empty where there is no USB. */
export async function usbDevices(): Promise<UsbDevice[]> {
  const root = path.join(hostRoots().sys, "bus/usb/devices");
  const names = await readdir(root).catch(() => []);
  // With a colon: an interface of a device.
  const devices = names.filter((name) => !name.includes(":")).map((name) => read(root, name));
  return (await Promise.all(devices)).filter((device) => device !== undefined);
}

async function read(root: string, port: string): Promise<UsbDevice | undefined> {
  const folder = path.join(root, port);
  const attribute = (name: string): Promise<string> =>
    readFile(path.join(folder, name), "utf8").then(
      (text) => text.trim(),
      // It may vanish while it is read.
      () => "",
    );
  const [vendorId = "", productId = "", serial = "", product = "", bus = "", number = ""] =
    await Promise.all(
      ["idVendor", "idProduct", "serial", "product", "busnum", "devnum"].map(attribute),
    );
  if (vendorId === "") return undefined;
  const node = `/dev/bus/usb/${bus.padStart(3, "0")}/${number.padStart(3, "0")}`;
  return { port, vendorId, productId, serial, product, node, folder };
}

/** Whether it is the one. Serial numbers are compared as udev writes them. */
export function isUsbDevice(device: UsbDevice, wanted: UsbMatch): boolean {
  const sameId = (id: string, want: string | undefined): boolean =>
    want === undefined || id.toLowerCase() === want.toLowerCase();
  return (
    sameId(device.vendorId, wanted.vendorId) &&
    sameId(device.productId, wanted.productId) &&
    (wanted.serial === undefined || sameSerial(device.serial, wanted.serial))
  );
}

/** A J-Link fills its number with zeros up to 12 digits, and its label doesn't. */
function sameSerial(serial: string, wanted: string): boolean {
  const plain = (text: string): string => {
    const one = text.trim().replace(/\s+/g, "_");
    return /^\d+$/.test(one) ? one.replace(/^0+(?=\d)/, "") : one;
  };
  return plain(serial) === plain(wanted);
}

/** Serial ports (`/dev/ttyACM0`) of a USB device whose driver is the one named, or any. */
export async function ttysOf({ folder }: UsbDevice, driver?: string): Promise<string[]> {
  const list = (at: string): Promise<string[]> => readdir(at).catch(() => []);
  const interfaces = (await list(folder)).filter((name) => name.includes(":"));
  const found = interfaces.map(async (name) => {
    const at = path.join(folder, name);
    if (driver !== undefined && (await driverOf(at)) !== driver) return [];
    // cdc_acm has tty/ttyACM0, a USB-serial converter ttyUSB0/tty/ttyUSB0.
    const converters = (await list(at)).filter((entry) => entry.startsWith("ttyUSB"));
    const names = [...(await list(path.join(at, "tty"))), ...converters];
    return names.map((tty) => `/dev/${tty}`);
  });
  return (await Promise.all(found)).flat();
}

const driverOf = (folder: string): Promise<string | undefined> =>
  readlink(path.join(folder, "driver")).then(
    (target) => path.basename(target),
    () => undefined,
  );

/** What a path below /dev leads to now; undefined when there is nothing. */
export const resolveDevice = (devicePath: string): Promise<string | undefined> =>
  realpath(hostDevicePath(devicePath)).catch(() => undefined);

/**
 * Looks again and again until there is something.
 *
 * @throws the signal's reason when aborted.
 */
export async function untilFound<T>(
  look: () => Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    await sleep(LOOK_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
