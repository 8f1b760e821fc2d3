import { randomBytes } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** Writes a small file so that a reader finds the old content or the new, never a part. Mode 0600. */
export function writeFileAtomic(file: string, content: string): void {
  const fresh = temporaryName(file);
  writeFileSync(fresh, content, { mode: 0o600 });
  renameSync(fresh, file);
}

/** As `writeFileAtomic`, for exactly one of many writers: false when the file is there already. */
export function createFileAtomic(file: string, content: string): boolean {
  const fresh = temporaryName(file);
  writeFileSync(fresh, content, { mode: 0o600 });
  try {
    linkSync(fresh, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** Content of a JSON file, or undefined when there is none or it isn't JSON (a disk after a power cut). */
export function readJsonFile(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as unknown;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const temporaryName = (file: string): string => `${file}.${randomBytes(4).toString("hex")}`;
