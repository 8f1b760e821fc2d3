import type { DeployBlock } from "#protocol/job-actions.ts";
import type { Console } from "../../console/console.ts";
import { expectPrompt } from "../../console/prompt.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import { shellQuote } from "../../overlay/shell-quote.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, promptsSlot } from "../../pipeline/job-slots.ts";
import type { Slot, Slots } from "../../pipeline/slot.ts";
import { serveFile } from "../../services/file-server.ts";
import { promptPatterns } from "../login/prompt-patterns.ts";
import { typeInShell, type Shell } from "../login/shell-command.ts";

/** The downloaded files of the block by label; `image` is the one that is written. */
export type DdImages = ReadonlyMap<string, Slot<string>>;

/** LAVA's (DISPATCHER.md 2). */
const DEFAULT_SECONDS = 600;

/**
 * Has the system that runs on the DUT fetch an image and write it to another of its disks, known by its name in
 * /dev/disk/by-id (DISPATCHER.md 11.4). Beyond LAVA it looks at both exit codes, so that half an image is no
 * success, and waits until the disk has it.
 */
export const ddImage = (block: DeployBlock, medium: string, images: DdImages): Action => ({
  name: "dd-image",
  defaultTimeoutSeconds: DEFAULT_SECONDS,
  needs: [...images.values()],
  validate: async () => {
    if (!/^[^/\0\s]+$/.test(medium)) {
      const message = `the uuid of the device's medium is '${medium}': expected its name in /dev/disk/by-id`;
      throw new JobFailure("Configuration", message);
    }
    ddCommand(block, medium, "http://worker/image");
  },
  run: (context) => writeImage(context, block, medium, images),
});

async function writeImage(
  context: RunContext,
  block: DeployBlock,
  medium: string,
  images: DdImages,
): Promise<void> {
  const { slots, signal, timeoutSeconds, log } = context;
  const { console, prompts } = currentShell(context);
  const shell = { console, prompts, signal, log, timeoutSeconds };
  const urls = new Map<string, string>();
  for (const [label, file] of images) urls.set(label, await serveFile(context, slots.take(file)));
  const disk = `/dev/disk/by-id/${medium}`;
  const isThere = await exitCode(shell, `test -b ${shellQuote(disk)}`);
  if (isThere !== "0") {
    const message = `the DUT has no disk ${disk}: is it plugged in, and does the system have udev's links?`;
    throw new JobFailure("Infrastructure", message);
  }
  const command = ddCommand(block, medium, urls.get("image") ?? "");
  const code = await exitCode(shell, command);
  if (code !== "0") {
    const failed = code.startsWith("download")
      ? `the download failed (${code})`
      : `it failed (exit code ${code})`;
    throw new JobFailure("Job", `writing the image to ${disk} on the DUT: ${failed}`);
  }
  log.info(`the image is on ${disk}`);
}

const CODE = "pumice-return-code";
const DOWNLOAD = "pumice-download-code";
/** The echo of what is typed has `$?` where the answer has digits. */
const PATTERNS = {
  ended: new RegExp(`${CODE}=(\\d+)`, "g"),
  download: new RegExp(`${DOWNLOAD}=(\\d+)`, "g"),
};

async function exitCode(shell: Shell, command: string): Promise<string> {
  const { console, prompts } = shell;
  await typeInShell(shell, `${command}; code=$?; sync; echo "${CODE}=$code"`);
  let download: string | undefined;
  for (;;) {
    const { name, match } = await console.expect(PATTERNS, { ...shell, inLine: true });
    if (name === "download") {
      download = `download, exit code ${match[1]}`;
      continue;
    }
    await expectPrompt(console, promptPatterns(prompts), { ...shell, nudges: true });
    // A writer that ends early breaks the download too: its own code tells more.
    const code = match[1] ?? "";
    return code === "0" ? (download ?? code) : code;
  }
}

/**
 * What is typed: the download tool into the writer, by default `dd`; a writer that fetches by itself stands alone.
 *
 * @throws JobFailure Job when the block's tools aren't whole.
 */
export function ddCommand(block: DeployBlock, medium: string, url: string): string {
  const disk = `"$(readlink -f ${shellQuote(`/dev/disk/by-id/${medium}`)})"`;
  const fill = (options: string): string =>
    options.replaceAll("{DOWNLOAD_URL}", shellQuote(url)).replaceAll("{DEVICE}", disk);
  const [download, writer] = [toolOf(block, "download"), toolOf(block, "writer")];
  const { prompts, flags } = mappingOf(block["tool"]);
  for (const prompt of listOfTexts(prompts)) pythonRegex(prompt);
  const written = writer
    ? `${writer.tool} ${fill(writer.options)}`
    : `dd of=${disk} bs=4M${typeof flags === "string" ? ` ${flags}` : ""}`;
  if (!download) {
    if (writer) return written;
    throw new JobFailure("Job", "download is missing: expected tool, options and prompt");
  }
  const fetched = `${download.tool} ${fill(download.options)}`;
  // Of a pipe only the last exit code is told.
  return `(${fetched} || echo "${DOWNLOAD}=$?" >&2) | ${written}`;
}

function toolOf(
  block: DeployBlock,
  key: "download" | "writer",
): { tool: string; options: string } | undefined {
  if (block[key] === undefined) return undefined;
  const { tool, options, prompt } = mappingOf(block[key]);
  const fail = (what: string, value: unknown, expected: string): never => {
    throw new JobFailure("Job", `${key}.${what} '${String(value)}': expected ${expected}`);
  };
  if (typeof tool !== "string" || !/^\/[\w./+-]+$/.test(tool)) {
    return fail("tool", tool, "the absolute path of a program on the DUT");
  }
  if (typeof options !== "string" || options === "") {
    return fail("options", options, "the tool's arguments, with {DOWNLOAD_URL} in them");
  }
  if (typeof prompt !== "string" || prompt === "") {
    return fail("prompt", prompt, "what the tool says when it has begun");
  }
  pythonRegex(prompt);
  return { tool, options };
}

/**
 * The shell that runs on the DUT now: of the block's own namespace, else of the last block before it that has
 * one. It is this namespace's from now on, as what boots next is the same board.
 *
 * @throws JobFailure Job when no earlier block left a shell.
 */
function currentShell(context: RunContext): { console: Console; prompts: readonly string[] } {
  const { job, level, slots, slotsOf, connection } = context;
  const earlier = job.definition.actions
    .slice(0, Number(level.split(".")[0]) - 1)
    .map(({ deploy, boot, test }) => (deploy ?? boot ?? test)?.namespace ?? "common")
    .reverse();
  const candidates: Slots[] = [connection, ...earlier.map(slotsOf)];
  for (const each of candidates) {
    const [console, prompts] = [each.find(consoleSlot), each.find(promptsSlot)];
    if (!console?.isOpen || !prompts) continue;
    slots.put(consoleSlot, console);
    slots.put(promptsSlot, prompts);
    return { console, prompts };
  }
  const message = "no system runs on the DUT to write the image: boot one before this deployment";
  throw new JobFailure("Job", message);
}
