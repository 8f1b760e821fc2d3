import { readdirSync } from "node:fs";
import { nearestWord } from "#protocol/nearest-word.ts";
import { insideOf } from "./read-file.ts";
import { SECTION_FILES, textAt, TEXT_FOLDERS } from "./layout.ts";

export interface ListedFiles {
  /** Paths from the directory, with `/`; sorted. */
  files: string[];
  /** Folders that are there, even if nothing is in them. */
  folders: string[];
  /** What can't be listed, and files that the layout has no place for though somebody seems to think so. */
  problems: { file: string; message: string }[];
}

const MAX_FILES = 100_000;
const SECTIONS: readonly string[] = Object.values(SECTION_FILES);
const FOLDERS: readonly string[] = TEXT_FOLDERS;

/**
 * The files of a lab that a directory has. What begins with a dot is nobody's business, and beside the lab there may
 * be other things; a name that is nearly right, or YAML and templates within a folder of the lab that are not
 * its, would be left out silently, so they are told. Throws when the directory can't be read.
 */
export function listFiles(dir: string): ListedFiles {
  const listed: ListedFiles = { files: [], folders: [], problems: [] };
  for (const entry of entriesOf(dir, ".")) {
    const near = nearestWord(entry, [...SECTIONS, ...FOLDERS]);
    if (SECTIONS.includes(entry)) listed.files.push(entry);
    else if (FOLDERS.includes(entry)) listed.folders.push(entry);
    else if (near) {
      const message = `a lab has no such file: did you mean ${near}?`;
      listed.problems.push({ file: entry, message });
    }
  }
  for (const folder of listed.folders) {
    try {
      listFolder(dir, folder, listed);
    } catch (error) {
      listed.problems.push({ file: folder, message: (error as Error).message });
    }
  }
  if (listed.files.length > MAX_FILES) throw new Error(`${dir}: more than ${MAX_FILES} files`);
  return listed;
}

function listFolder(dir: string, folder: string, listed: ListedFiles): void {
  const inFolder = entriesOf(dir, folder);
  const names =
    folder === "workers" ? inFolder.flatMap((worker) => filesOf(dir, worker)) : inFolder;
  for (const name of names) {
    const file = `${folder}/${name}`;
    if (textAt(file)) listed.files.push(file);
    else if (/\.(ya?ml|jinja2?|j2)$/i.test(name)) {
      const message = `a lab has no such file: expected ${EXPECTED[folder]}`;
      listed.problems.push({ file, message });
    }
  }
}

const EXPECTED: { readonly [folder: string]: string } = {
  "device-types": "device-types/NAME.jinja2",
  "health-checks": "health-checks/TYPE.yaml",
  devices: "devices/HOST.jinja2, or HOST.yaml for a plain configuration",
  workers: "workers/NAME/dispatcher.yaml, env.yaml or env-dut.yaml",
};

/** A worker has a folder; anything else stands for itself. */
function filesOf(dir: string, worker: string): string[] {
  try {
    return entriesOf(dir, `workers/${worker}`).map((name) => `${worker}/${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return [worker];
    throw error;
  }
}

/** Sorted, so that what is told and sent does not depend on the file system. */
const entriesOf = (dir: string, folder: string): string[] =>
  readdirSync(folder === "." ? dir : insideOf(dir, folder))
    .filter((name) => !name.startsWith("."))
    .toSorted();
