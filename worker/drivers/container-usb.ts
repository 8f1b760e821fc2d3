import { stat } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runCommand } from "../host/spawn.ts";
import {
  hostDevicePath,
  isUsbDevice,
  ttysOf,
  usbDevices,
  type UsbMatch,
} from "../host/usb-devices.ts";
import type { JobContext, RunContext } from "../pipeline/action.ts";
import { containerClient } from "./container-client.ts";
import type { ContainerOptions } from "./container.ts";

/** A board that re-enumerates (from fastboot to its system, say) gets a new node within this time. */
const LOOK_SECONDS = 1;

/** Major numbers of USB devices, ttyUSB and ttyACM: the kernel's own, the same on every host. */
const MAJORS = [189, 188, 166];

/**
 * Options that let a container use USB nodes which appear later; none for a device without USB. The container sees
 * only the nodes that `shareUsb` makes in it.
 */
export const usbRules = (job: JobContext): string[] =>
  boardMatches(job).length === 0
    ? []
    : MAJORS.map((major) => `--device-cgroup-rule=c ${major}:* rmw`);

/**
 * Brings the board's USB nodes and serial ports (by `device_info`) into a running container, now and whenever it
 * enumerates again (TEST-SHELL.md 11). Call what it returns to end that.
 */
export async function shareUsb(
  context: RunContext,
  options: Pick<ContainerOptions, "name" | "globalOptions">,
): Promise<() => void> {
  const { job, log } = context;
  const matches = boardMatches(job);
  const stop = new AbortController();
  if (matches.length === 0) return () => {};
  const signal = AbortSignal.any([stop.signal, context.signal]);
  const shared = new Set<string>();
  const look = async (): Promise<void> => {
    for (const node of await nodesOf(matches)) {
      const key = `${node.path} ${node.major}:${node.minor}`;
      if (shared.has(key)) continue;
      shared.add(key);
      if (await makeNode(job, options, node, signal)) log.debug(`${node.path} is in the container`);
      else log.warning(`${node.path} could not be brought into the container ${options.name}`);
    }
  };
  await look();
  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      await sleep(LOOK_SECONDS * 1000, undefined, { signal });
      await look();
    }
  };
  // It ends by being aborted.
  watch().catch(() => {});
  return () => stop.abort();
}

/** What identifies the job's boards on the USB (DEVICE.md 1, `device_info`). */
function boardMatches({ device }: JobContext): UsbMatch[] {
  const text = (value: unknown): string | undefined =>
    value === undefined || value === null || /^0*$/.test(String(value)) ? undefined : String(value);
  return (device.device_info ?? [])
    .map((info) => ({
      serial: text(info["board_id"]),
      vendorId: text(info["usb_vendor_id"]),
      productId: text(info["usb_product_id"]),
    }))
    .filter((match) => Object.values(match).some((value) => value !== undefined));
}

interface DeviceNode {
  readonly path: string;
  readonly major: number;
  readonly minor: number;
}

async function nodesOf(matches: readonly UsbMatch[]): Promise<DeviceNode[]> {
  const devices = (await usbDevices()).filter((device) =>
    matches.some((match) => isUsbDevice(device, match)),
  );
  const paths = await Promise.all(
    devices.map(async (device) => [device.node, ...(await ttysOf(device))]),
  );
  const nodes = await Promise.all(paths.flat().map(readNode));
  return nodes.filter((node) => node !== undefined);
}

async function readNode(devicePath: string): Promise<DeviceNode | undefined> {
  const found = await stat(hostDevicePath(devicePath)).catch(() => undefined);
  if (!found?.isCharacterDevice()) return undefined;
  // As the C library's gnu_dev_major and gnu_dev_minor, for numbers below 2^12 and 2^8 (all there are here).
  return { path: devicePath, major: (found.rdev >> 8) & 0xfff, minor: found.rdev & 0xff };
}

const MAKE_NODE = 'mkdir -p "$1" && rm -f "$2" && mknod -m 666 "$2" c "$3" "$4"';

async function makeNode(
  job: JobContext,
  { name, globalOptions = [] }: Pick<ContainerOptions, "name" | "globalOptions">,
  { path: node, major, minor }: DeviceNode,
  signal: AbortSignal,
): Promise<boolean> {
  const words = [path.posix.dirname(node), node, String(major), String(minor)];
  const argv = (...flags: string[]): [string, ...string[]] => [
    ...([containerClient(job), ...globalOptions, "exec", ...flags] as [string, ...string[]]),
    ...["--user=0", name, "sh", "-c", MAKE_NODE, "sh", ...words],
  ];
  const { status } = await runCommand(argv("--privileged"), { signal });
  if (status === 0) return true;
  // On a worker that is itself in a container nobody is privileged, but docker lets each container make nodes.
  return (await runCommand(argv(), { signal })).status === 0;
}
