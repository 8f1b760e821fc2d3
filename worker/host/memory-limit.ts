import path from "node:path";
import { megabytesOf } from "./megabytes.ts";
import { memoryGroups, textOf } from "./memory-group.ts";

export interface MemoryLimit {
  readonly bytes: number;
  /** Who set it, for people. */
  readonly from: string;
  /** Folder of the control group whose limit it is; undefined where it is no group's. */
  readonly group?: string;
}

/**
 * How much memory this worker may take: `PUMICE_MAX_RSS` (megabytes) or nine tenths of what its control groups (version 1 or
 * 2) may, whichever is less; undefined when nobody has set any. `root`: of the system's files.
 */
export function memoryLimit(
  env: NodeJS.ProcessEnv = process.env,
  root = "/",
): MemoryLimit | undefined {
  const asked = megabytesOf(env["PUMICE_MAX_RSS"]);
  const own = asked ? { bytes: asked * 1_000_000, from: "--max-rss (PUMICE_MAX_RSS)" } : undefined;
  const group = groupLimit(root);
  if (group === undefined) return own;
  const bytes = Math.floor(group.bytes * OF_GROUP);
  if (own && own.bytes <= bytes) return own;
  const whole = Math.round(group.bytes / 1_000_000);
  return {
    bytes,
    group: group.folder,
    from: `its control group (memory.max, systemd's MemoryMax, a container's --memory: nine tenths of ${whole} MB)`,
  };
}

/** At a group's own limit the kernel has killed somebody already; what processes take beside their memory counts there, too. */
const OF_GROUP = 0.9;

/** More is what the kernel says when there is none. */
const NO_LIMIT = 2 ** 60;

/** A group has its own limit and those of the groups that it is in. Of a container's group only the lowest may be in sight. */
function groupLimit(root: string): { bytes: number; folder: string } | undefined {
  const limits: { bytes: number; folder: string }[] = [];
  for (const { base, group, isV1 } of memoryGroups(root)) {
    const file = isV1 ? "memory.limit_in_bytes" : "memory.max";
    for (let at = group; ; at = path.dirname(at)) {
      const folder = path.join(base, at);
      const text = textOf(path.join(folder, file)).trim();
      const bytes = Number(text);
      if (/^\d+$/.test(text) && bytes < NO_LIMIT) limits.push({ bytes, folder });
      if (at === "/") break;
    }
  }
  return limits.toSorted((a, b) => a.bytes - b.bytes)[0];
}
