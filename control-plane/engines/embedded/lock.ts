import path from "node:path";
import { openDatabase } from "./sqlite.ts";

/**
 * Takes a data folder for this process alone; the system gives it back when the process ends, however it
 * ends. Throws when another process has it. The lock is SQLite's, on a file of its own, so that the table
 * can still be read or backed up by other programs.
 */
export function lockFolder(folder: string): { release(): void } {
  const database = openDatabase(path.join(folder, "lock"));
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    throw new Error(`${folder} is in use by another control plane; stop that one first`, { cause });
  }
  return { release: () => database.close() };
}
