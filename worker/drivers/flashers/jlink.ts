import { listOfTexts } from "../../host/list-of-texts.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { bootMethod } from "../../host/device-methods.ts";
import { filled, filledWords, type Argv } from "./run-tool.ts";

/** What the dictionary says of a board behind a J-Link (DEVICE.md 1.3) and the job of the core it wants. */
export interface JLink {
  readonly command: string;
  /** Where an image without an address of its own goes. */
  readonly address: string;
  readonly processor: string;
  readonly eraseCommands: readonly string[];
  readonly resetCommands: readonly string[];
  readonly options: readonly string[];
}

/** @throws JobFailure Configuration when the dictionary is incomplete, Job when the core is none of the board's. */
export function readJLink(job: JobContext, coreType: unknown): JLink {
  const { command, address, processor, ...more } = bootMethod(job, "jlink");
  if (typeof processor !== "string" || processor === "") {
    const where = "actions.boot.methods.jlink.parameters.processor";
    throw new JobFailure("Configuration", `${where} is missing: expected J-Link's device name`);
  }
  return {
    command: typeof command === "string" && command !== "" ? command : "JLinkExe",
    address: typeof address === "number" ? `0x${address.toString(16)}` : String(address ?? "0x0"),
    processor: processorOf(processor, coreType, listOfTexts(more["supported_core_types"])),
    eraseCommands: listOfTexts(more["erase_command"]),
    resetCommands: listOfTexts(more["reset_command"]),
    options: listOfTexts(more["options"]),
  };
}

/** A processor with several cores is named with the core: `MIMXRT1189XXX8_M33`. */
function processorOf(processor: string, core: unknown, cores: readonly string[]): string {
  if (core === undefined || core === null) return processor;
  const name = String(core);
  if (cores.includes(name)) return `${processor}_${name}`;
  const expected = cores.length > 0 ? `expected one of ${cores.join(", ")}` : "it has one core";
  throw new JobFailure("Job", `coretype ${name} of ${processor}: ${expected}`);
}

/**
 * The Commander script: erase, load, reset, leave. Without commands of the job each image is loaded to the
 * board's address.
 */
export function jlinkScript(
  { eraseCommands, resetCommands, address }: JLink,
  commands: readonly string[],
  images: Readonly<Record<string, string>>,
): string {
  const loads =
    commands.length > 0
      ? commands.map((command) => filled(command, images))
      : Object.values(images).map((file) => `loadfile ${file} ${address}`);
  // The script is lines: a line break within a command would be another command.
  const lines = [...eraseCommands, ...loads, ...resetCommands].map((line) =>
    line.replace(/[\r\n]+/g, " "),
  );
  return [...lines, "qc", ""].join("\n");
}

/** Without a terminal, a window or a question; ends with an error at the first command that fails. */
export const jlinkArgv = (
  { command, processor, options }: JLink,
  serial: string,
  script: string,
): Argv => [
  command,
  "-NoGui",
  "1",
  "-ExitOnError",
  "1",
  "-AutoConnect",
  "1",
  "-SelectEmuBySN",
  serial,
  "-Device",
  processor,
  ...options.flatMap((option) => filledWords(option, {}, "options of jlink")),
  "-CommanderScript",
  script,
];

/** What it says when the probe or the processor isn't there: older ones end with 0 all the same. */
export const JLINK_FAILED =
  /^(?:Cannot connect|Could not connect|Connecting to J-Link via USB\.\.\.FAILED|FAILED:|Failed to |Unable to open |Error(?:\s|:)|\*{4,} Error)/i;
