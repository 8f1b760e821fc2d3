import { readFileSync } from "node:fs";
import path from "node:path";

/** A control group of this process that counts memory, of version 1 or 2. */
export interface MemoryGroup {
  /** Where the groups of its kind are, for example `/sys/fs/cgroup/memory`. */
  readonly base: string;
  /** Its path there; `/` in a container, as a rule. */
  readonly group: string;
  readonly isV1: boolean;
}

/** Those that this process is in: none, or one of each version of which one counts. `root`: of the system's files. */
export function memoryGroups(root = "/"): MemoryGroup[] {
  return textOf(path.join(root, "proc/self/cgroup"))
    .split("\n")
    .flatMap((line) => {
      const [, controllers, group] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
      const isV1 = controllers?.split(",").includes("memory") ?? false;
      if (group === undefined || (!isV1 && controllers !== "")) return [];
      return [
        { base: path.join(root, isV1 ? "sys/fs/cgroup/memory" : "sys/fs/cgroup"), group, isV1 },
      ];
    });
}

/**
 * What the processes of a group and of those in it take of memory, in bytes: anonymous memory and that of tmpfs. Pages of
 * files are left out (the group's whole use has them): the kernel takes those back before it kills anybody. Undefined when
 * its folder doesn't say.
 */
export function groupMemory(folder: string): number | undefined {
  const stat = textOf(path.join(folder, "memory.stat"));
  // Version 1 has figures without `total_`, too, of the group alone.
  const anonymous = figure(stat, "total_rss") ?? figure(stat, "anon");
  if (anonymous === undefined) return undefined;
  return anonymous + (figure(stat, "total_shmem") ?? figure(stat, "shmem") ?? 0);
}

/**
 * How many processes the kernel has killed for want of memory: in this process's group where one counts, else on this
 * machine. It only ever grows; undefined when nobody counts. `root`: of the system's files.
 */
export function killsForMemory(root = "/"): number | undefined {
  for (const { base, group, isV1 } of memoryGroups(root)) {
    const file = isV1 ? "memory.oom_control" : "memory.events";
    const kills = figure(textOf(path.join(base, group, file)), "oom_kill");
    if (kills !== undefined) return kills;
  }
  return figure(textOf(path.join(root, "proc/vmstat")), "oom_kill");
}

function figure(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Empty when it can't be read. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
