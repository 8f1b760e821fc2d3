import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import type { Lab } from "#protocol/lab.ts";
import { labFiles } from "./lab-files.ts";
import { SECTION_FILES, textAt } from "./layout.ts";
import { listFiles } from "./list-files.ts";

/** Whether a lab can be written there without force: nothing is there but what begins with a dot, such as `.git`. */
export function isEmptyDirectory(dir: string): boolean {
  try {
    return readdirSync(dir).every((name) => name.startsWith("."));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true;
    throw error;
  }
}

/**
 * Writes a lab as files (docs/lab-as-code.md), as `readLabDirectory` reads them. Of a section that is there, files which
 * the lab no longer has are removed; anything else in the directory is left alone. Files that are the same are
 * not touched. Throws when a folder is a link.
 */
export function writeLabDirectory(dir: string, lab: Lab): { written: number; removed: number } {
  const files = labFiles(lab);
  mkdirSync(dir, { recursive: true });
  const stale = listFiles(dir).files.filter((file) => !files.has(file) && isOf(lab, file));
  let written = 0;
  for (const [file, text] of files) {
    if (writeIfOther(dir, file, text)) written += 1;
  }
  for (const file of stale) {
    rmSync(path.join(dir, file));
    if (textAt(file)?.section === "workers") removeIfEmpty(path.dirname(path.join(dir, file)));
  }
  return { written, removed: stale.length };
}

/** Whether a file belongs to a section that the lab has. */
function isOf(lab: Lab, file: string): boolean {
  const section = textAt(file)?.section;
  if (section) return lab[section] !== undefined;
  return Object.entries(SECTION_FILES).some(
    ([name, its]) => its === file && lab[name as keyof typeof SECTION_FILES] !== undefined,
  );
}

function writeIfOther(dir: string, file: string, text: string): boolean {
  const full = path.join(dir, file);
  const folders = file.split("/").slice(0, -1);
  for (const depth of folders.keys()) realFolder(path.join(dir, ...folders.slice(0, depth + 1)));
  if (isThere(full) && lstatSync(full).isFile() && readFileSync(full, "utf8") === text) {
    return false;
  }
  // In its place when it is whole, and in place of a link, not where that leads.
  const draft = path.join(path.dirname(full), ".pumice-draft");
  rmSync(draft, { force: true });
  writeFileSync(draft, text, { flag: "wx" });
  renameSync(draft, full);
  return true;
}

function realFolder(folder: string): void {
  if (!isThere(folder)) mkdirSync(folder);
  if (!lstatSync(folder).isDirectory())
    throw new Error(`${folder}: expected a folder, and no link`);
}

const isThere = (file: string): boolean => lstatSync(file, { throwIfNoEntry: false }) !== undefined;

function removeIfEmpty(folder: string): void {
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
