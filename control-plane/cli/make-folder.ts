import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";

/**
 * Makes a folder and what is missing above it. Node.js's own `recursive` turns in circles for ever where the system says of a new
 * folder that the one above is not there, as it does below /proc.
 *
 * @throws Error of the system, or that says in which folder none can be made.
 */
export function makeFolder(folder: string, mode = 0o777): void {
  if (existsSync(folder)) return;
  const above = path.dirname(folder);
  if (above !== folder) makeFolder(above, mode);
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT") throw error;
    throw new Error(`no folder can be made in ${above}: name another place than ${folder}`, {
      cause: error,
    });
  }
}
