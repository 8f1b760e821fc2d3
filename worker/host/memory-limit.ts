import { readFileSync } from "node:fs";
import path from "node:path";
import { megabytesOf } from "./megabytes.ts";

export interface MemoryLimit {
  readonly bytes: number;
  /** Who set it, for people. */
  readonly from: string;
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
  const bytes = Math.floor(group * OF_GROUP);
  if (own && own.bytes <= bytes) return own;
  const whole = Math.round(group / 1_000_000);
  return {
    bytes,
    from: `its control group (memory.max, systemd's MemoryMax, a container's --memory: nine tenths of ${whole} MB)`,
  };
}

/** At a group's own limit the kernel has killed somebody already; what processes take beside their memory counts there, too. */
const OF_GROUP = 0.9;

/** More is what the kernel says when there is none. */
const NO_LIMIT = 2 ** 60;

/** A group has its own limit and those of the groups that it is in. Of a container's group only the lowest may be in sight. */
function groupLimit(root: string): number | undefined {
  const limits: number[] = [];
  for (const line of textOf(path.join(root, "proc/self/cgroup")).split("\n")) {
    const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (group === undefined) continue;
    const isV1 = controllers?.split(",").includes("memory");
    if (!isV1 && controllers !== "") continue;
    const [base, file] = isV1
      ? ["sys/fs/cgroup/memory", "memory.limit_in_bytes"]
      : ["sys/fs/cgroup", "memory.max"];
    for (let at = group; ; at = path.dirname(at)) {
      const text = textOf(path.join(root, base, at, file)).trim();
      if (/^\d+$/.test(text) && Number(text) < NO_LIMIT) limits.push(Number(text));
      if (at === "/") break;
    }
  }
  return limits.length === 0 ? undefined : Math.min(...limits);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
