import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { identityOf, isAlive } from "../host/process-table.ts";
import { namesIn } from "./cache-folder.ts";

/**
 * Takes a key for this caller alone, of all processes of this machine; undefined when somebody has it. A dead
 * process has nothing. Each writes a file named for itself first and looks for others then: of two that come at the
 * same moment one or both get nothing, never both the key. So try again a little later, at random.
 */
export function tryLock(folder: string, key: string): (() => void) | undefined {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (isLocked(folder, key)) return undefined;
  const self = identityOf(process.pid);
  if (!self) throw new Error("this process is not in /proc: is it mounted?");
  const own = `${key}.${self.pid}.${self.started}.${randomBytes(4).toString("hex")}`;
  const release = (): void => rmSync(path.join(folder, own), { force: true });
  writeFileSync(path.join(folder, own), "", { mode: 0o600 });
  if (!isLocked(folder, key, own)) return release;
  release();
  return undefined;
}

/** Whether a live process has the key; what dead ones left is removed. */
export function isLocked(folder: string, key: string, except?: string): boolean {
  return namesIn(folder).some((name) => {
    if (name === except || !name.startsWith(`${key}.`)) return false;
    const [, pid, started] = /^\w+\.(\d+)\.(.+)\.[0-9a-f]{8}$/.exec(name) ?? [];
    if (pid && started && isAlive({ pid: Number(pid), started })) return true;
    rmSync(path.join(folder, name), { force: true });
    return false;
  });
}
