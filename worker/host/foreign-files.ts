import { lstat, readdir } from "node:fs/promises";
import path from "node:path";

/** Whether something in a folder is another user's than this process's, or can't be looked at. Root may do anything: never for root. */
export async function hasForeignFiles(folder: string): Promise<boolean> {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) return false;
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const name = path.join(folder, entry.name);
      if ((await lstat(name)).uid !== uid) return true;
      if (entry.isDirectory() && (await hasForeignFiles(name))) return true;
    }
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}
