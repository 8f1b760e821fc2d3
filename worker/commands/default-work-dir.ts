import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** Where jobs live when nobody says: `$PUMICE_WORK_DIR`, the system's folder, the user's. */
export function defaultWorkDir(): string {
  if (process.env["PUMICE_WORK_DIR"]) return process.env["PUMICE_WORK_DIR"];
  const system = "/var/lib/pumice-worker";
  if (process.getuid?.() === 0 || isWritable(system)) return system;
  return path.join(homedir(), ".local/share/pumice-worker");
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
