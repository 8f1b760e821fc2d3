import { readdirSync, readFileSync } from "node:fs";

/** Memory of a process, in MB of 10^6 bytes. */
export interface Memory {
  /** What the process itself has written to: heap, stacks, buffers; only this can't be had back from its files. */
  readonly anonymous_mb: number;
  /** With the pages of the executable and its libraries that are in use. */
  readonly rss_mb: number;
  /** The same, a page that several processes share divided among them. */
  readonly pss_mb: number;
}

/** Of these processes together. Throws when one has gone. */
export function memoryOf(pids: readonly number[]): Memory {
  const rollups = pids.map((pid) => readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  const mb = (kind: string): number =>
    rollups.reduce((sum, text) => {
      const kib = new RegExp(`^${kind}:\\s+(\\d+)`, "m").exec(text)?.[1];
      return sum + (Number(kib) * 1024) / 1e6;
    }, 0);
  return { anonymous_mb: mb("Anonymous"), rss_mb: mb("Rss"), pss_mb: mb("Pss") };
}

/** What a process has used and done so far, all of its threads. */
export interface Work {
  /** In nanoseconds where the kernel counts so (`schedstat`), else by its ticks. */
  readonly cpuSeconds: number;
  /** How often it fell asleep: each time something woke it before. */
  readonly sleeps: number;
}

/** Of a process; all that it did when it has just ended is 0. */
export function workOf(pid: number): Work {
  let cpuNanoseconds = 0;
  let sleeps = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const folder = `/proc/${pid}/task/${thread}`;
      cpuNanoseconds += Number(readFileSync(`${folder}/schedstat`, "utf8").split(" ")[0]);
      const status = readFileSync(`${folder}/status`, "utf8");
      sleeps += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
    }
  } catch {
    // A thread that ends meanwhile: what it did is missing.
  }
  return { cpuSeconds: cpuNanoseconds / 1e9, sleeps };
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = NaN, high = NaN] = [sorted[sorted.length % 2 ? middle : middle - 1], sorted[middle]];
  return (low + high) / 2;
};
