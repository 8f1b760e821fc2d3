import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { until } from "../support/real-lab.ts";

/** A control group with a limit of memory, of whichever version this machine has. */
export interface LimitedGroup {
  /** What starts a program in it: to be followed by the program and its words. */
  readonly enter: readonly [program: string, ...args: string[]];
  /** How many of its processes the kernel has killed for want of memory. */
  kills(): number;
  /** Once its processes are gone. */
  remove(): Promise<void>;
}

const V1 = "/sys/fs/cgroup/memory";
const V2 = "/sys/fs/cgroup";

/** Why no such group can be made here; undefined when one can. */
export function lacksGroups(): string | undefined {
  if (process.getuid?.() !== 0) return "a control group needs root";
  try {
    const probe = limitedGroup("pumice-probe", 100_000_000);
    void probe.remove();
    return undefined;
  } catch (error) {
    return `no control group that counts memory can be made here: ${(error as Error).message}`;
  }
}

/** @throws Error where the machine has none, or they are not ours to make. */
export function limitedGroup(name: string, bytes: number): LimitedGroup {
  const isV1 = existsSync(path.join(V1, "memory.limit_in_bytes"));
  const folder = path.join(isV1 ? V1 : V2, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, isV1 ? "memory.limit_in_bytes" : "memory.max"), String(bytes));
  const swap = path.join(folder, "memory.swap.max");
  if (existsSync(swap)) writeFileSync(swap, "0");
  const procs = path.join(folder, "cgroup.procs");
  const events = path.join(folder, isV1 ? "memory.oom_control" : "memory.events");
  return {
    enter: ["sh", "-c", `echo $$ >${procs}; exec "$@"`, "sh"],
    kills: () => Number(/^oom_kill (\d+)$/m.exec(readFileSync(events, "utf8"))?.[1]),
    remove: async () => {
      // A process that was killed leaves it a little later.
      await until(() => readFileSync(procs, "utf8") === "");
      rmdirSync(folder);
    },
  };
}
