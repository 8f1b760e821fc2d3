import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  hostDevicePath,
  isUsbDevice,
  ttysOf,
  untilFound,
  usbDevices,
} from "../../worker/host/usb-devices.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "pumice-usb-"));
  vi.stubEnv("PUMICE_SYS", path.join(root, "sys"));
  vi.stubEnv("PUMICE_DEV", path.join(root, "dev"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

/** As in sysfs: the folder of the bus has links to where the devices are. */
function plug(port: string, attributes: Record<string, string>, below: string[] = []): void {
  const at = path.join(root, "sys/devices/pci0000:00/usb1", port);
  mkdirSync(at, { recursive: true });
  for (const [name, value] of Object.entries(attributes))
    writeFileSync(path.join(at, name), `${value}\n`);
  for (const name of below) mkdirSync(path.join(at, name), { recursive: true });
  const bus = path.join(root, "sys/bus/usb/devices");
  mkdirSync(bus, { recursive: true });
  symlinkSync(at, path.join(bus, port));
}

const PROBE = { idVendor: "0d28", idProduct: "0204", serial: "0240", busnum: "1", devnum: "12" };

test("a machine without USB has no devices", async () => {
  expect(await usbDevices()).toEqual([]);
});

test("devices are listed with what tells them apart, their interfaces are not", async () => {
  plug("1-2.3", { ...PROBE, product: "DAPLink CMSIS-DAP" });
  plug("1-2.3:1.0", { bInterfaceClass: "03" });
  const [device, ...more] = await usbDevices();
  expect(more).toEqual([]);
  expect(device).toMatchObject({
    port: "1-2.3",
    vendorId: "0d28",
    productId: "0204",
    serial: "0240",
    product: "DAPLink CMSIS-DAP",
    node: "/dev/bus/usb/001/012",
  });
});

test.each([
  ["0240", { serial: "0240" }, true],
  ["000380000008", { serial: "380000008" }, true],
  ["380000008", { serial: "000380000008" }, true],
  ["00AB", { serial: "AB" }, false],
  ["My Board 7", { serial: "My_Board_7" }, true],
  ["0240", { vendorId: "0D28", productId: "0204" }, true],
  ["0240", { serial: "0240", productId: "0205" }, false],
])("a device with the number %s is %o: %s", async (serial, wanted, expected) => {
  plug("1-1", { ...PROBE, serial });
  const [device] = await usbDevices();
  expect(device && isUsbDevice(device, wanted)).toBe(expected);
});

test("serial ports are found for both kinds of drivers", async () => {
  plug("1-1", PROBE, ["1-1:1.1/tty/ttyACM0", "1-1:1.2/ttyUSB3/tty/ttyUSB3"]);
  symlinkSync(
    "/sys/bus/usb/drivers/cdc_acm",
    path.join(root, "sys/devices/pci0000:00/usb1/1-1/1-1:1.1/driver"),
  );
  const [device] = await usbDevices();
  if (!device) throw new Error("not listed");
  expect((await ttysOf(device)).sort()).toEqual(["/dev/ttyACM0", "/dev/ttyUSB3"]);
  expect(await ttysOf(device, "cdc_acm")).toEqual(["/dev/ttyACM0"]);
});

test("a path below /dev is where the host has it, and no other is touched", () => {
  expect(hostDevicePath("/dev/disk/by-id/x")).toBe(path.join(root, "dev/disk/by-id/x"));
  expect(hostDevicePath("/dev/../sys/x")).toBe("/dev/../sys/x");
});

test("what is awaited is found when it comes, and given up when nobody waits any more", async () => {
  const waiting = untilFound(
    async () => (await usbDevices())[0]?.serial,
    new AbortController().signal,
  );
  plug("1-1", PROBE);
  expect(await waiting).toBe("0240");
  const reason = new Error("enough");
  await expect(untilFound(async () => undefined, AbortSignal.abort(reason))).rejects.toBe(reason);
});
