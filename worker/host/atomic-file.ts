import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";

/**
 * Writes a small file so that a reader finds the old content or the new, never a part, after a power cut too. Mode 0600.
 */
export function writeFileAtomic(file: string, content: string): void {
  const fresh = temporaryName(file);
  writeSynced(fresh, content);
  renameSync(fresh, file);
  syncFolder(path.dirname(file));
}

/** As `writeFileAtomic`, for exactly one of many writers: false when the file is there already. */
export function createFileAtomic(file: string, content: string): boolean {
  const fresh = temporaryName(file);
  writeSynced(fresh, content);
  try {
    linkSync(fresh, file);
    syncFolder(path.dirname(file));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** What was made, renamed or removed in the folder is so after a power cut too. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } catch {
    // Some network file systems can't, and it is their business then.
  } finally {
    closeSync(descriptor);
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

/** A rename without it gives, after a power cut, an empty file. What can't be written whole leaves nothing. */
function writeSynced(file: string, content: string): void {
  const descriptor = openSync(file, "wx", 0o600);
  try {
    writeFileSync(descriptor, content);
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

const temporaryName = (file: string): string => `${file}.${randomBytes(4).toString("hex")}`;
