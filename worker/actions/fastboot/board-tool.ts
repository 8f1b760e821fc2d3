import { randomBytes } from "node:crypto";
import path from "node:path";
import {
  deviceContainerOptions,
  runInContainer,
  type ContainerOptions,
} from "../../drivers/container.ts";
import { pullImage, readContainerBlock } from "../../drivers/container-image.ts";
import { containerClient } from "../../drivers/container-client.ts";
import { runCommand, type CommandResult } from "../../host/spawn.ts";
import { requireTool } from "../../host/tool.ts";
import { isUsbDevice, usbDevices, type UsbDevice } from "../../host/usb-devices.ts";
import type { RunContext, ValidateContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { runDeviceCommands } from "../power/device-commands.ts";
import { detectedSerialSlot, fastbootBoard, isOnNetwork, serialOf } from "./fastboot-board.ts";

/** The part of a block that says where its tools run. */
export type ToolBlock = Readonly<Record<string, unknown>>;

/** How long the power may take to go off after a time-out. */
const POWER_OFF_SECONDS = 30;

/** Makes sure that fastboot (or adb) can be run: in the block's container, else on this machine. */
export async function checkTool(
  { job }: ValidateContext,
  block: ToolBlock,
  tool: "fastboot" | "adb",
): Promise<void> {
  if (block["docker"] === undefined) return requireTool(tool);
  readContainerBlock(job, block["docker"]);
  containerClient(job);
}

/**
 * Runs `fastboot -s <serial> <words> <the device's options>` (DISPATCHER.md 11.3).
 *
 * @throws JobFailure Infrastructure when it fails.
 */
export function runFastboot(
  context: RunContext,
  block: ToolBlock,
  words: readonly string[],
  file?: string,
): Promise<CommandResult> {
  const { options } = fastbootBoard(context.job);
  const named = file === undefined ? words : [...words, file];
  const argv = ["fastboot", "-s", serialOf(context), ...named, ...options] as const;
  return runBoardTool(context, block, [...argv] as [string, ...string[]], { file });
}

/**
 * Runs a tool that talks to the board, in a throw-away container when the block has `docker`. When the time is
 * over the board's power is cut: nobody knows what state it is in (DISPATCHER.md 2).
 *
 * @throws JobFailure Infrastructure when it fails and `mayFail` is not set.
 */
export async function runBoardTool(
  context: RunContext,
  block: ToolBlock,
  argv: readonly [string, ...string[]],
  { file, mayFail = false }: { file?: string | undefined; mayFail?: boolean } = {},
): Promise<CommandResult> {
  const { job, signal, log } = context;
  const onLine = (line: string): void => log.debug(`>> ${line}`);
  const inTime = powerOffWhenLate(context);
  let result: CommandResult;
  if (block["docker"] === undefined) {
    log.debug(`Calling: ${JSON.stringify(argv)}`);
    result = await runCommand(argv, { signal, onLine, cwd: job.scratch });
  } else {
    result = await runInContainer(context, await containerOf(context, block, file), argv, onLine);
  }
  inTime();
  if (result.status === 0 || mayFail) return result;
  const said = result.output.trim().split("\n").at(-1) ?? "";
  const why = `exit code ${result.status}${said && `; it said last: ${said}`}`;
  throw new JobFailure("Infrastructure", `'${argv.join(" ")}' failed: ${why}`);
}

/** Call what it returns when the work has ended by itself. */
function powerOffWhenLate(context: RunContext): () => void {
  const { job, signal, defer, log } = context;
  const commands = job.device.commands?.["power_off"];
  let isOver = false;
  defer(async () => {
    if (isOver || !signal.aborted || !commands) return;
    log.debug("it took too long: powering off");
    const own = AbortSignal.timeout(POWER_OFF_SECONDS * 1000);
    await runDeviceCommands({ ...context, signal: own }, commands, "Unable to power-off");
  });
  return () => {
    isOver = true;
  };
}

async function containerOf(
  context: RunContext,
  block: ToolBlock,
  file: string | undefined,
): Promise<ContainerOptions> {
  const { job, level } = context;
  const { globalOptions, options } = deviceContainerOptions(job);
  const docker = readContainerBlock(job, block["docker"]);
  const { image, name, network, devices } = docker;
  await pullImage(context, docker, globalOptions);
  const serial = serialOf(context);
  const folder = file === undefined ? undefined : path.dirname(file);
  return {
    image,
    name: name ?? `lava-${job.jobId}-${level}-${randomBytes(6).toString("hex")}`,
    network: network ?? (isOnNetwork(serial) ? "host" : undefined),
    devices: [...devices, ...(await boardNodes(context))],
    // Under the same name, so that the log's command line means the same inside and outside.
    mounts: folder === undefined ? [] : [{ source: folder, target: folder, isReadOnly: true }],
    globalOptions,
    options,
  };
}

/** USB nodes of the board; while it is still to be found, all there are. */
async function boardNodes({ job, slots }: RunContext): Promise<string[]> {
  const { isDetected, adbSerial } = fastbootBoard(job);
  if (isDetected && slots.find(detectedSerialSlot) === undefined) return ["/dev/bus/usb"];
  const serials = [serialOf({ job, slots }), adbSerial];
  const isOurs = (device: UsbDevice): boolean =>
    serials.some((serial) => isUsbDevice(device, { serial }));
  return (await usbDevices()).filter(isOurs).map(({ node }) => node);
}
