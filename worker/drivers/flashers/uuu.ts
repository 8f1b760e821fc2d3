import { open, stat } from "node:fs/promises";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { shellWords } from "../../host/shell-words.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { bootMethod } from "../../host/device-methods.ts";
import { filledWords, type Argv } from "./run-tool.ts";

/** One step of a block's `commands`: `uuu: -b sd {boot}`, `bcu: reset usb`, `SDPS: boot -f {boot}`. */
export interface UuuCommand {
  readonly protocol: string;
  readonly text: string;
}

/** `actions.boot.methods.uuu.options` of the device (DEVICE.md 1.3). */
export interface UuuOptions {
  /** USB paths as uuu has them, `2:143`: only these are looked at. */
  readonly paths: readonly string[];
  /** A command of the lab that prints the path, for a board whose path changes. */
  readonly pathCommand: readonly string[];
  readonly corruptCommands: readonly string[];
  readonly powersOffFirst: boolean;
  readonly dockerImage: string;
  readonly remoteOptions: readonly string[];
  readonly bcuBoard: string;
  readonly bcuId: string;
  readonly bcuIdCommand: readonly string[];
  readonly hasBcu: boolean;
  readonly bcuCleanup: readonly string[];
}

export function readUuuOptions(job: JobContext): UuuOptions {
  const options = bootMethod(job, "uuu", "options");
  const text = (key: string): string => String(options[key] ?? "");
  const list = (key: string): string[] => listOfTexts(options[key] || undefined);
  // A list is the words of one command, as in `['echo', '-n', '2:143']`.
  const words = (key: string): string[] =>
    typeof options[key] === "string" ? shellWords(text(key)) : list(key);
  return {
    paths: list("usb_otg_path"),
    pathCommand: words("usb_otg_path_command"),
    corruptCommands: list("corrupt_boot_media_command"),
    powersOffFirst: options["power_off_before_corrupt_boot_media"] === true,
    dockerImage: text("docker_image"),
    remoteOptions: shellWords(text("remote_options")),
    bcuBoard: text("bcu_board_name"),
    bcuId: text("bcu_board_id"),
    bcuIdCommand: words("bcu_board_id_command"),
    hasBcu: isTrue(options["has_bcu_commands"]),
    bcuCleanup: list("additional_bcu_cleanup_commands"),
  };
}

const isTrue = (value: unknown): boolean => /^(true|yes|1)$/i.test(String(value));

const PROTOCOL = /^[A-Za-z]\w*$/;

/** @throws JobFailure Job when it is no list of `PROTOCOL: COMMAND`. */
export function readUuuCommands(block: BootBlock, job: JobContext): UuuCommand[] {
  const given = typeof block.commands === "string" ? setOf(block.commands, job) : block.commands;
  const expected = "expected a list of PROTOCOL: COMMAND, as in `uuu: -b sd {boot}`";
  const read = (given ?? []).map((item): UuuCommand => {
    const entries = Object.entries((typeof item === "object" && item) || {}) as [string, unknown][];
    const [[protocol, text] = ["", ""], ...more] = entries;
    if (PROTOCOL.test(protocol) && more.length === 0) return { protocol, text: String(text) };
    throw new JobFailure("Job", `commands of boot uuu: ${JSON.stringify(item)}: ${expected}`);
  });
  if (read.length > 0) return read;
  throw new JobFailure("Job", `commands of boot uuu are missing: ${expected}`);
}

/** A set of commands that the device type has by name. */
function setOf(name: string, job: JobContext): unknown[] {
  const { commands } = bootMethod(job, "uuu", name);
  if (Array.isArray(commands)) return commands;
  throw new JobFailure("Job", `commands of boot uuu: the device's method uuu has no set ${name}`);
}

/**
 * uuu's command line for one command: `uuu` is its own words, any other protocol one line of its scripts
 * (`SDPS: boot -f …`).
 */
export function uuuArgv(
  { protocol, text }: UuuCommand,
  paths: readonly string[],
  images: Readonly<Record<string, string>>,
): Argv {
  const words = filledWords(text, images, `commands of boot uuu: ${protocol}`);
  const isOwn = protocol.toLowerCase() === "uuu";
  return [
    "uuu",
    ...paths.flatMap((path) => ["-m", path]),
    ...(isOwn ? words : [`${protocol}:`, ...words]),
  ];
}

/**
 * Makes sure that uuu takes no file of the job for one of its scripts, which may start any program of this machine: where a
 * script may stand, a deployed file must be a bootloader by its bytes, and nothing else may be named but uuu's own scripts.
 *
 * @throws JobFailure Job.
 */
export async function checkNoScript(
  { protocol, text }: UuuCommand,
  images: Readonly<Record<string, string>>,
): Promise<void> {
  if (protocol.toLowerCase() !== "uuu") return;
  const all = filledWords(text, images, `commands of boot uuu: ${protocol}`);
  const command = all.findIndex((word) => word.endsWith(":"));
  const words = command < 0 ? all : all.slice(0, command);
  const builtIn = words.findIndex((word) => word.startsWith("-b"));
  // What comes after the name of a script is for the script.
  const scripts = builtIn < 0 ? words : words.slice(0, builtIn + 2);
  for (const word of scripts.filter((one) => !one.startsWith("-"))) {
    const isImage = Object.values(images).includes(word);
    if (isImage ? !(await mayBeScript(word)) : /^\w[\w:-]*$/.test(word)) continue;
    const expected = "expected a script that uuu has itself (-b NAME), or a deployed bootloader";
    throw new JobFailure("Job", `commands of boot uuu: '${path.basename(word)}': ${expected}`);
  }
}

/** Folders and archives, in which uuu looks for a script, and texts. */
async function mayBeScript(file: string): Promise<boolean> {
  if (!(await stat(file)).isFile()) return true;
  const handle = await open(file);
  const { buffer, bytesRead } = await handle
    .read(Buffer.alloc(4096), 0, 4096, 0)
    .finally(() => handle.close());
  const head = buffer.subarray(0, bytesRead);
  const isArchive = ARCHIVES.some((magic) => head.toString("latin1").startsWith(magic));
  return isArchive || !head.includes(0) || head.toString("latin1").includes("uuu_version");
}

/** Of zip, bzip2, gzip and zstd. */
const ARCHIVES = ["PK", "BZh", "\x1f\x8b", "\x28\xb5\x2f\xfd"];

/** bcu's command line, with the board it is for: there may be several on this machine. */
export const bcuArgv = (text: string, board: string, id: string): Argv => [
  "bcu",
  ...filledWords(text, {}, "commands of boot uuu: bcu"),
  ...(board === "" ? [] : [`-board=${board}`]),
  ...(id === "" ? [] : [`-id=${id}`]),
];

/** Whether one of the paths is in what `uuu -lsusb` lists: the chip's boot ROM waits there. */
export const isListed = (listing: string, paths: readonly string[]): boolean => {
  const rows = listing.split("\n").filter((line) => /\b0x[0-9a-f]{4}\b/i.test(line));
  const found = rows.map((line) => line.trim().split(/\s+/)[0]);
  return paths.length === 0 ? found.length > 0 : paths.some((path) => found.includes(path));
};
