import type { BootBlock } from "#protocol/job-actions.ts";
import { shellWords } from "../../host/shell-words.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { checkTool, runFastboot } from "../fastboot/board-tool.ts";
import { enterFastboot } from "../fastboot/enter-fastboot.ts";
import { checkBoard, lacksFastboot, waitBoard } from "../fastboot/fastboot-board.ts";
import { fastbootReboot } from "../fastboot/fastboot-reboot.ts";
import { loginSteps } from "../login/login.ts";
import { overlayUnpackSteps } from "../login/overlay-unpack.ts";
import { exportDeviceEnv, expectShell } from "../login/shell-session.ts";
import { preOsCommand } from "../power/power-actions.ts";
import { adbOverlayUnpack, connectAdb } from "./fastboot-adb.ts";

/** Starts what fastboot has flashed, or an image that was not (DISPATCHER.md 12). */
export const fastbootBoot: BootStrategy = {
  family: "boot",
  name: "fastboot",
  refuses: ({ method }, job) => {
    if (method !== "fastboot") return `the method is ${method}`;
    const { methods } = job.device.actions.boot;
    const sequence = (methods as Record<string, unknown> | null)?.["fastboot"];
    if (!Array.isArray(sequence)) {
      return "the device's actions.boot.methods.fastboot is no list: set fastboot_sequence in its dictionary";
    }
    const unknown = sequence.find((item) => !ITEMS.includes(item));
    if (unknown !== undefined) {
      return `the device's boot sequence has ${JSON.stringify(unknown)}: expected of ${ITEMS.join(", ")}`;
    }
    return lacksFastboot(job);
  },
  action: (block, context) => {
    const { job } = context;
    const commands = block.commands === undefined ? [] : [bootCommands(block)];
    return {
      name: "fastboot-boot",
      retries: true,
      steps: [
        ...commands,
        ...enterFastboot(job, { block, waits: true }),
        ...sequenceOf(job).flatMap((item) => [waitBoard, ...sequenceSteps(item, block, context)]),
        ...afterBoot(block, context),
      ],
    };
  },
};

function afterBoot(block: BootBlock, context: StrategyContext): Action[] {
  const { job } = context;
  if (job.device.commands?.["hard_reset"]) return [preOsCommand, ...loginSteps(block, context)];
  // Adb would have to run in the container that has the board.
  return block["docker"] === undefined ? [connectAdb(block), adbOverlayUnpack] : [];
}

const ITEMS: readonly unknown[] = [
  "boot",
  "reboot",
  "no-flash-boot",
  "auto-login",
  "overlay-unpack",
  "shell-session",
  "export-env",
];

const sequenceOf = ({ device }: JobContext): string[] =>
  (device.actions.boot.methods as Record<string, string[]>)["fastboot"] ?? [];

function sequenceSteps(item: string, block: BootBlock, context: StrategyContext): Action[] {
  switch (item) {
    case "reboot":
      return [fastbootReboot(block)];
    case "auto-login":
      return loginSteps(block, { ...context, hasShell: false });
    case "overlay-unpack":
      return overlayUnpackSteps(block);
    case "shell-session":
      return [expectShell];
    case "export-env":
      return [exportDeviceEnv];
    default:
      return [bootFastboot(block)];
  }
}

/** `fastboot boot` of the deployed image `boot`. */
const bootFastboot = (block: BootBlock): Action => ({
  name: "boot-fastboot",
  onTimeout: "Infrastructure",
  validate: async (context) => {
    await checkBoard(context);
    await checkTool(context, block, "fastboot");
  },
  run: async (context) => {
    const image = context.slots.find(imagesSlot)?.get("boot");
    if (!image) {
      const message =
        "boot-fastboot: there is no image boot: deploy one to fastboot, as images.boot";
      throw new JobFailure("Job", message);
    }
    await runFastboot(context, block, ["boot"], image.path);
    context.record({ status: "success" });
  },
});

/** The block's own `commands`, each the arguments of one call of fastboot. */
const bootCommands = (block: BootBlock): Action => ({
  name: "fastboot-boot-commands",
  onTimeout: "Infrastructure",
  validate: async (context) => {
    await checkBoard(context);
    await checkTool(context, block, "fastboot");
    commandsOf(block);
  },
  run: async (context) => {
    for (const words of commandsOf(block)) await runFastboot(context, block, words);
  },
});

/** What would make fastboot use another board: `-s` alone, with its value, or behind other letters. */
const OTHER_BOARD = /^-[^-]*s/;

/** @throws JobFailure Job. */
function commandsOf({ commands, docker }: BootBlock): string[][] {
  const list = typeof commands === "string" ? [commands] : (commands ?? []);
  return list.map((command) => {
    const fail = (expected: string): never => {
      const message = `boot.commands: ${JSON.stringify(command)}: expected ${expected}`;
      throw new JobFailure("Job", message);
    };
    if (typeof command !== "string") return fail("the arguments of fastboot as text");
    const words = shellWords(command);
    if (words.length === 0) return fail("the arguments of fastboot");
    if (words.some((word) => OTHER_BOARD.test(word))) {
      return fail("no serial number: the board is the job's own");
    }
    // In a container there is nothing that isn't the job's.
    if (docker === undefined && words.some((word) => word.includes("/"))) {
      return fail("no path: a job has no files on the worker but the deployed images");
    }
    return words;
  });
}
