import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { shellWords } from "../../host/shell-words.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { relativePath } from "./job-files.ts";
import type { Argv } from "./run-tool.ts";

/** What a boot block says of the package that qdl writes; all names are relative to its folder. */
export interface QdlFlash {
  readonly folder: string;
  readonly files: readonly string[];
  readonly storage: string | undefined;
  readonly isDebug: boolean;
}

const STORAGES = ["emmc", "nand", "nvme", "spinor", "ufs"];

/** @throws JobFailure Job when a name leaves the package or the storage isn't one of qdl's. */
export function readQdlFlash(block: BootBlock): QdlFlash {
  const files = ["firehose_program", "rawprogram", "patch"].flatMap((key) => {
    const value = block[key];
    if (value === undefined || value === null || value === "") {
      if (key === "patch") return [];
      throw new JobFailure("Job", `boot qdl: ${key} is missing: expected a file of the package`);
    }
    // Several programs or patches, as on qdl's own command line.
    const names = shellWords(String(value));
    return names.map((name) => relativePath(name, `boot qdl: ${key}`));
  });
  const { storage, path: folder = "." } = block;
  if (storage !== undefined && !STORAGES.includes(String(storage))) {
    const expected = `expected ${STORAGES.join(", ")}`;
    throw new JobFailure("Job", `boot qdl: storage '${String(storage)}': ${expected}`);
  }
  return {
    folder: relativePath(String(folder), "boot qdl: path"),
    files,
    storage: storage === undefined ? undefined : String(storage),
    isDebug: block["debug"] === true,
  };
}

/** A description lists partitions; its real size is some ten KiB. */
const MAX_DESCRIPTION_BYTES = 4 << 20;

/**
 * Makes sure that the package's descriptions name files of the package only: qdl would write any file of this machine to
 * the board. What qdl may be told in another way than we read it (entities, encodings, other kinds of descriptions) is
 * refused.
 *
 * @throws JobFailure Job, naming the description.
 */
export async function checkDescriptions(folder: string, files: readonly string[]): Promise<void> {
  for (const name of files.filter((file) => /\.xml$/i.test(file))) {
    const file = path.join(folder, name);
    const found = await stat(file).catch(() => undefined);
    // What isn't there, qdl says.
    if (!found?.isFile()) continue;
    const text = found.size > MAX_DESCRIPTION_BYTES ? "" : await readFile(file, "latin1");
    const names = fileNames(text);
    if (!names || !KIND.test(text) || ENCODED.test(text)) {
      const expected = "expected only <data> or <patches> with elements in it, in UTF-8";
      throw new JobFailure("Job", `${name} of the package: ${expected}`);
    }
    for (const one of names.filter((text) => text !== "")) {
      if (!one.includes("&")) relativePath(one, `${name}: filename`);
      else throw new JobFailure("Job", `${name}: filename '${one}': expected a plain name`);
    }
  }
}

const KIND = /<(data|patches)[\s>/]/;
const ENCODED = /<\?xml[^>]{0,200}encoding\s*=\s*["'](?!utf-8["']|us-ascii["'])/i;
/** Comments and instructions say nothing to qdl. */
const UNSAID = /^ï»¿|<!--.*?(?:-->|$)|<\?.*?(?:\?>|$)/gs;
const ATTRIBUTE = /\s+([\w:.-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/;
const ELEMENT = new RegExp(`\\s*</?[\\w:.-]+((?:${ATTRIBUTE.source})*)\\s*/?>`, "y");

/** All attributes `filename`; undefined when there is anything but elements, which we might read in another way than qdl. */
function fileNames(text: string): string[] | undefined {
  const said = text.replace(UNSAID, "").trimEnd();
  const names: string[] = [];
  ELEMENT.lastIndex = 0;
  while (ELEMENT.lastIndex < said.length) {
    const [, attributes] = ELEMENT.exec(said) ?? [];
    if (attributes === undefined) return undefined;
    for (const [, name = "", one, other] of attributes.matchAll(new RegExp(ATTRIBUTE, "g"))) {
      if (name.toLowerCase() === "filename") names.push(one ?? other ?? "");
    }
  }
  return names;
}

/** Run in the package's folder: its descriptions name files beside them. */
export const qdlArgv = (
  command: string,
  serial: string,
  { files, storage, isDebug }: QdlFlash,
): Argv => [
  command,
  `--serial=${serial}`,
  ...(isDebug ? ["--debug"] : []),
  ...(storage === undefined ? [] : [`--storage=${storage}`]),
  ...files,
];

/** The serial number that qdl knows a board by: the end of the whole product text. */
export const qdlSerial = (boardQdlId: string): string => boardQdlId.split("_SN:").at(-1) ?? "";

/**
 * Boards are told apart since 2.0 only. Before that there was no `--version` either.
 *
 * @throws JobFailure Infrastructure for an older one.
 */
export function checkQdlVersion(output: string): void {
  const [, major = "0"] = /version v?(\d+)\./i.exec(output) ?? [];
  if (Number(major) >= 2) return;
  const found = output.trim().split("\n")[0] ?? "";
  const message = `qdl 2.0 or later is needed, to tell boards apart by their serial numbers; found '${found}'`;
  throw new JobFailure("Infrastructure", message);
}
