import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

const here = path.resolve(import.meta.dirname, "..");

/** Kept in the repository: what found something, and what together runs most of the code. */
export const corpusFolder = (target: string): string => path.join(here, "corpus", target);

/** Left by runs on this machine: what they found and what they learned. */
export const scratchFolder = (target: string): string =>
  path.resolve(here, "../../.cache/fuzz", target);

/** Inputs of a folder by their names; none when there is no such folder. */
export function readInputs(folder: string): [name: string, input: Uint8Array][] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .toSorted()
    .map((name) => [name, readFileSync(path.join(folder, name))]);
}

/** Writes an input under a name of its content. @returns the file */
export function writeInput(folder: string, input: Uint8Array, prefix = ""): string {
  mkdirSync(folder, { recursive: true });
  const hash = createHash("sha256").update(input).digest("hex").slice(0, 12);
  const file = path.join(folder, `${prefix}${hash}`);
  writeFileSync(file, input);
  return file;
}

/** Makes the folder hold these and what was found before: names that begin with what is wrong, not with a hash. */
export function replaceInputs(folder: string, inputs: readonly Uint8Array[]): void {
  for (const [name] of readInputs(folder)) {
    if (/^[0-9a-f]{12}$/.test(name)) rmSync(path.join(folder, name));
  }
  for (const input of inputs) writeInput(folder, input);
}
