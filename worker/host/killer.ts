import { killsForMemory } from "./memory-group.ts";

/** Whom a SIGKILL comes from when nobody has watched. */
export const ANYBODY =
  "by somebody or, when the machine's memory runs out, by the kernel (see its dmesg)";

/**
 * Watches from now on for the kernel killing processes for want of memory. The function that it gives says in words whom a
 * SIGKILL since then seems to have come from. `root`: of the system's files.
 */
export function watchKiller(root?: string): () => string {
  const before = killsForMemory(root);
  return () => {
    const now = killsForMemory(root);
    if (before === undefined || now === undefined) return ANYBODY;
    const kills = now - before;
    if (kills <= 0) return "by somebody: the kernel has killed nothing for want of memory";
    const count = kills === 1 ? "one process" : `${kills} processes`;
    return (
      `it seems by the kernel, because memory ran out: it has killed ${count} for that since then. Give this worker more ` +
      "memory, or fewer or smaller jobs at a time (docs/worker-faults.md)"
    );
  };
}
