import type { BootBlock } from "#protocol/job-actions.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { shellWords } from "../../host/shell-words.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { readContainerBlock, type ContainerBlock } from "../container-image.ts";
import { bootMethod } from "../../host/device-methods.ts";

/** A boot block of method `fvp` (JOB.md 6), checked. */
export interface FvpBlock {
  readonly container: ContainerBlock;
  /** Path of the model in the container. */
  readonly model: string;
  readonly arguments: readonly string[];
  readonly version: RegExp;
  /** The line in which the model says its console's port, as group PORT. */
  readonly console: RegExp;
  /** The same of further consoles, with a group NAME. */
  readonly feedbacks: readonly RegExp[];
  readonly usesTelnet: boolean;
  readonly environment: Readonly<Record<string, string>>;
  /** A file of the worker that the container sees at the same path. */
  readonly licenseFile: string | undefined;
  readonly erpcApp: string | undefined;
  readonly commands: readonly string[];
}

/** @throws JobFailure Job when the block is incomplete, Test when a regular expression is wrong. */
export function readFvpBlock(block: BootBlock, job: JobContext): FvpBlock {
  const { image, version_string, console_string, license_variable, ubl_license } = block;
  if (typeof image !== "string" || !image.startsWith("/"))
    throw missing("image", "the model's path");
  if (typeof console_string !== "string") {
    throw missing("console_string", "the line in which the model says its console's port");
  }
  const usesTelnet = block["use_telnet"] !== false;
  const console = withGroups(console_string, usesTelnet ? ["PORT"] : [], "console_string");
  const erpcApp = block["erpc_app"];
  const license = ubl_license ?? bootMethod(job, "fvp", "options")["ubl_license"];
  return {
    container: readContainerBlock(job, block["docker"], "name"),
    model: image,
    arguments: listOfTexts(block["arguments"]).flatMap((text) => split(text, "arguments")),
    version: pythonRegex(typeof version_string === "string" ? version_string : VERSION),
    console,
    feedbacks: listOfTexts(block["feedbacks"]).map((text) =>
      withGroups(text, ["PORT", "NAME"], "feedbacks"),
    ),
    usesTelnet,
    environment: environmentOf([
      ...listOfTexts(block["environment"]),
      ...listOfTexts(license_variable),
    ]),
    licenseFile: license ? licensePath(String(license)) : undefined,
    erpcApp: erpcApp === undefined ? undefined : String(erpcApp),
    commands: listOfTexts(block.commands),
  };
}

const VERSION = String.raw`Fast Models[^\n]+`;

const missing = (key: string, what: string): JobFailure =>
  new JobFailure("Job", `boot fvp: ${key} is missing: expected ${what}`);

function withGroups(source: string, groups: readonly string[], key: string): RegExp {
  const pattern = pythonRegex(source);
  const lacking = groups.find((group) => !source.includes(`(?P<${group}>`));
  if (lacking === undefined) return pattern;
  const message = `boot fvp: ${key} '${source}': expected a group (?P<${lacking}>…)`;
  throw new JobFailure("Job", message);
}

function environmentOf(list: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    list.map((text) => {
      const [, name, value] = /^([A-Za-z_]\w*)=([^\n]*)$/.exec(text) ?? [];
      if (name !== undefined && value !== undefined) return [name, value];
      throw new JobFailure("Job", `boot fvp: environment '${text}': expected NAME=VALUE`);
    }),
  );
}

function licensePath(file: string): string {
  if (/^\/[\w./+-]+\.lic$/.test(file) && !file.split("/").includes("..")) return file;
  const expected = "expected the absolute path of a license file of the worker, ending in .lic";
  throw new JobFailure("Job", `boot fvp: ubl_license '${file}': ${expected}`);
}

function split(text: string, key: string): string[] {
  try {
    return shellWords(text);
  } catch (error) {
    throw new JobFailure("Job", `boot fvp: ${key}: ${(error as Error).message}`);
  }
}

/** Fills `{LABEL}` and `{ARTIFACT_DIR}` as Python's format does: a doubled brace is a brace. */
export const formatted = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\{\{|\}\}|\{(\w+)\}/g, (whole, name: string | undefined) => {
    if (name === undefined) return whole.charAt(0);
    return Object.hasOwn(values, name) ? (values[name] ?? whole) : whole;
  });

/** Words for `docker run` from the dictionary (DEVICE.md 1.3). */
export function fvpContainerOptions(job: JobContext): string[] {
  const { cpus, memory, privileged, ...lists } = bootMethod(job, "fvp", "options");
  const each = (key: string, option: string): string[] =>
    listOfTexts(lists[key]).map((value) => `--${option}=${value}`);
  return [
    ...(Number(cpus) > 0 ? [`--cpus=${Number(cpus)}`] : []),
    ...(memory && memory !== "0" ? [`--memory=${String(memory)}`] : []),
    ...(privileged === true ? ["--privileged"] : []),
    ...each("devices", "device"),
    ...each("networks", "network"),
    ...each("volumes", "volume"),
  ];
}
