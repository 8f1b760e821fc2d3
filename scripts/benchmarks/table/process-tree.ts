import { readdirSync, readFileSync } from "node:fs";
import { workOf } from "../process-figures.ts";

export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** Tells it from a later one of the same number. */
  readonly startedAt: string;
  /** CPU of the threads that run, to the nanosecond. */
  readonly threadSeconds: number;
  /** With that of threads that have ended, in whole ticks. */
  readonly tickSeconds: number;
  /** Of its children that have ended and been waited for, with theirs. */
  readonly endedSeconds: number;
}

/** `getconf CLK_TCK` of every Linux. */
const TICKS_A_SECOND = 100;

/** A process and all below it that run now, parents before their children. */
export function processTree(root: number): Process[] {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(Number(name)));
  const found = all.filter(({ pid }) => pid === root);
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid));
  return found.flatMap(readProcess);
}

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly fields: readonly string[];
}

function statOf(pid: number): Stat[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // After the name, which may hold anything: state, parent ... (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return [{ pid, parent: Number(fields[1]), fields }];
  } catch {
    return []; // It has ended meanwhile.
  }
}

function readProcess({ pid, parent, fields }: Stat): Process[] {
  const seconds = (...at: number[]): number =>
    at.reduce((sum, field) => sum + Number(fields[field]), 0) / TICKS_A_SECOND;
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    const own = { threadSeconds: workOf(pid).cpuSeconds, tickSeconds: seconds(11, 12) };
    const startedAt = fields[19] ?? "";
    return [{ pid, parent, command, startedAt, ...own, endedSeconds: seconds(13, 14) }];
  } catch {
    return []; // As above.
  }
}

/** A process's own CPU, `before` of it left out. Both counts are too small, so the larger is nearer. */
export function ownSecondsOf(one: Process, before?: Process): number {
  if (!before) return Math.max(one.threadSeconds, one.tickSeconds);
  // User's and system's time are cut to a tick each, so a difference of ticks may be as much too large.
  const ofTicks = one.tickSeconds - before.tickSeconds - 2 / TICKS_A_SECOND;
  return Math.max(one.threadSeconds - before.threadSeconds, ofTicks);
}

export const cpuSecondsOf = (processes: readonly Process[]): number =>
  processes.reduce((sum, one) => sum + ownSecondsOf(one) + one.endedSeconds, 0);

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
