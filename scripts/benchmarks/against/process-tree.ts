import { readdirSync, readFileSync } from "node:fs";

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** With that of its children that have ended and been waited for. */
  readonly cpuSeconds: number;
}

/** `getconf CLK_TCK` of every Linux. */
const TICKS_A_SECOND = 100;

/** A process and all below it that run now. */
export function processTree(root: number): Process[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)));
  const found = all.filter(({ pid }) => pid === root);
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid));
  return found;
}

function readProcess(pid: number): Process[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    // After the name, which may hold anything: state, parent ... (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
    return [{ pid, parent: Number(fields[1]), command, cpuSeconds: ticks / TICKS_A_SECOND }];
  } catch {
    return []; // It has ended meanwhile.
  }
}

export const cpuSecondsOf = (processes: readonly Process[]): number =>
  processes.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);

/** A page that several share is divided among them: MiB that belong to these processes together. */
export function pssOf(processes: readonly { pid: number }[]): number {
  let kib = 0;
  for (const { pid } of processes) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      kib += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    } catch {
      // It has ended meanwhile.
    }
  }
  return kib / 1024;
}
