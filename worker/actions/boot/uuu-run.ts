import { setTimeout as sleep } from "node:timers/promises";
import type { BootBlock } from "#protocol/job-actions.ts";
import { readContainerBlock, type ContainerBlock } from "../../drivers/container-image.ts";
import { imagePaths } from "../../drivers/flashers/job-files.ts";
import { toolRunner, type ToolRunner } from "../../drivers/flashers/tool-place.ts";
import {
  bcuArgv,
  checkNoScript,
  isListed,
  readUuuCommands,
  readUuuOptions,
  uuuArgv,
  type UuuCommand,
} from "../../drivers/flashers/uuu.ts";
import { runTool, type Argv } from "../../drivers/flashers/run-tool.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";

/** Set when the board's boot ROM already waits for the host. */
export const isInRomSlot = slot<boolean>("is-in-rom");

/** How often the USB is looked at, once a half second: a board that starts from its media is not there at all. */
const LOOKS = 6;
const LOOK_MS = 500;

/** Whether the board waits in its ROM after the reset, by `uuu -lsusb`. */
export function checkSerialAvailability(block: BootBlock): Action {
  return {
    name: "check-serial-availability",
    gives: [isInRomSlot],
    onTimeout: "Infrastructure",
    run: async (context) => {
      const { slots, signal, log, job } = context;
      const { paths, run } = await uuuOf(context, block);
      let isThere = false;
      for (let looks = 1; !isThere && looks <= LOOKS; looks++) {
        if (looks > 1) await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
        signal.throwIfAborted();
        isThere = isListed(await run(["uuu", "-lsusb"]), paths);
      }
      slots.put(isInRomSlot, isThere);
      log.info(`the board ${isThere ? "waits" : "does not wait"} in its boot ROM`);
      if (isThere || readUuuOptions(job).corruptCommands.length > 0) return;
      const where = "actions.boot.methods.uuu.options.corrupt_boot_media_command";
      const message = `the board starts from its own media, and ${where} of the device is not set to prevent it`;
      throw new JobFailure("Infrastructure", message);
    },
  };
}

/** The block's commands in turn; what bcu took over is given back at the end of the job. */
export function uuuBootAction(block: BootBlock): Action {
  return {
    name: "uuu-boot",
    needs: [imagesSlot],
    onTimeout: "Infrastructure",
    validate: async ({ job }) => check(block, job),
    run: async (context) => {
      const { job } = context;
      const commands = readUuuCommands(block, job);
      const images = imagePaths(context);
      for (const command of commands) await checkNoScript(command, images);
      const bcu = await bcuOf(context, commands.some(isBcu));
      const { paths, run } = await uuuOf(context, block);
      for (const command of commands) {
        if (isBcu(command)) await runTool(context, bcu(command.text));
        else await run(uuuArgv(command, paths, images));
      }
    },
  };
}

const isBcu = ({ protocol }: { protocol: string }): boolean => protocol === "bcu";

function check(block: BootBlock, job: JobContext): void {
  const commands = readUuuCommands(block, job);
  const options = readUuuOptions(job);
  for (const command of commands) checkCommand(command);
  if (commands.some(isBcu)) {
    requireTool("bcu");
    if (options.bcuBoard === "") {
      const where = "actions.boot.methods.uuu.options.bcu_board_name";
      throw new JobFailure("Configuration", `${where} is not set: expected one of \`bcu lsboard\``);
    }
  }
  if (!containerOf(block, job) && !commands.every(isBcu)) requireTool("uuu");
}

/** What a job may ask of uuu. It has more, such as SHELL, which is a shell of this machine. */
const PROTOCOLS = new Set(
  "uuu bcu cfg sdp sdpu sdpv sdps fb fbs fastboot fbk delay done".split(" "),
);
/** These are for a system on the board: paths in them are its own. */
const ON_BOARD = new Set(["ucmd", "acmd", "oem"]);

/** uuu's words are options and files of this machine: only the deployed ones may be named. @throws JobFailure Job. */
function checkCommand(command: UuuCommand): void {
  const fail = (what: string, expected: string): never => {
    throw new JobFailure("Job", `commands of boot uuu: '${what}': ${expected}`);
  };
  // Of its own words one that ends in a colon begins a command of another protocol.
  const [, ...words] = uuuArgv(command, [], {});
  const named = words.filter((word) => word.endsWith(":")).map((word) => word.slice(0, -1));
  const unknown = [command.protocol, ...named].find(
    (protocol) => !PROTOCOLS.has(protocol.replace(/\[.*\]$/, "").toLowerCase()),
  );
  if (unknown !== undefined) fail(`${unknown}:`, `expected one of ${[...PROTOCOLS].join(", ")}`);
  const first = words.findIndex((word) => word.endsWith(":")) + 1;
  if (first > 0 && ON_BOARD.has(words[first]?.toLowerCase() ?? "")) return;
  const bad = words.find((word) => /^[/~]|(?:^|\/)\.\.(?:\/|$)/.test(word));
  if (bad !== undefined) fail(bad, "files are named as {LABEL} of a deployed image");
}

function containerOf(block: BootBlock, job: JobContext): ContainerBlock | undefined {
  if (block["docker"] !== undefined) return readContainerBlock(job, block["docker"]);
  const { dockerImage } = readUuuOptions(job);
  if (dockerImage === "") return undefined;
  return readContainerBlock(job, { image: dockerImage, local: true });
}

/** Where uuu runs and which USB paths are the board's. */
async function uuuOf(
  context: RunContext,
  block: BootBlock,
): Promise<{ paths: readonly string[]; run: ToolRunner }> {
  const { paths, pathCommand, remoteOptions } = readUuuOptions(context.job);
  const printed = await wordsOf(context, pathCommand);
  const run = await toolRunner(context, containerOf(block, context.job), remoteOptions);
  return { paths: printed.length > 0 ? printed : paths, run };
}

/** bcu's command line; at the end of the job the board's remote control is switched off again. */
async function bcuOf(context: RunContext, isUsed: boolean): Promise<(text: string) => Argv> {
  const { bcuBoard, bcuId, bcuIdCommand, bcuCleanup, hasBcu } = readUuuOptions(context.job);
  if (!isUsed && !hasBcu) return (text) => bcuArgv(text, bcuBoard, bcuId);
  const [printed = bcuId] = await wordsOf(context, bcuIdCommand);
  const argv = (text: string): Argv => bcuArgv(text, bcuBoard, printed);
  context.defer(async () => {
    const { signal } = new AbortController();
    for (const text of [...bcuCleanup, "deinit"]) {
      await runTool({ log: context.log, signal }, argv(text), { failure: "Infrastructure" });
    }
  });
  return argv;
}

/** What a command of the lab prints, as words. */
async function wordsOf(context: RunContext, command: readonly string[]): Promise<string[]> {
  const [program, ...args] = command;
  if (program === undefined) return [];
  const output = await runTool(context, [program, ...args], { failure: "Infrastructure" });
  return output.split(/\s+/).filter((word) => word !== "");
}
