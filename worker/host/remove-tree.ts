import { readFileSync, realpathSync } from "node:fs";
import { rm } from "node:fs/promises";
import { runCommand } from "./spawn.ts";

/**
 * Removes a folder with all that is in it, but nothing of what is mounted there: what a job left mounted, a board's disk
 * or a root file system on a server, would be emptied. That is unmounted first.
 *
 * @throws when something can't be unmounted or removed.
 */
export async function removeTree(folder: string): Promise<void> {
  // Later mounts may lie in earlier ones.
  for (const mount of mountsIn(folder).reverse()) await runCommand(["umount", "--lazy", mount]);
  const [left] = mountsIn(folder);
  if (left !== undefined) throw new Error(`${left} is still mounted: unmount it by hand`);
  await rm(folder, { recursive: true, force: true });
}

/** Where something is mounted in a folder, in the order of mounting; proc_pid_mountinfo(5), field 5. */
export function mountsIn(folder: string): string[] {
  let root: string;
  try {
    root = realpathSync(folder);
  } catch {
    return [];
  }
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => unescaped(line.split(" ")[4] ?? ""))
    .filter((mount) => mount === root || mount.startsWith(`${root}/`));
}

/** Spaces and the like are written as \040. */
const unescaped = (text: string): string =>
  text.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
