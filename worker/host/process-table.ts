import { readdirSync, readFileSync } from "node:fs";

/** Which process, for ever: pids come round again, and after a reboot so do start times. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks (field 22 of proc_pid_stat(5)) at the boot it counts from. */
  readonly started: string;
}

/** The process that has this pid now, or undefined when none has or only its corpse is left. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (!stat || stat.state === "Z" || stat.state === "X") return undefined;
  return { pid, started: `${stat.ticks}@${bootId()}` };
}

/** Whether exactly this process is there and no zombie. */
export const isAlive = (process: ProcessIdentity): boolean =>
  identityOf(process.pid)?.started === process.started;

/** Whether it was started since this machine was: if not, the machine has been started anew meanwhile. */
export const isOfThisBoot = ({ started }: ProcessIdentity): boolean =>
  started.endsWith(`@${bootId()}`);

/** Sends a signal unless that process has gone, whoever may have its pid now. False when it has gone. */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals): boolean {
  return isAlive(target) && kill(target.pid, signal);
}

/**
 * Live processes, this one excepted, that inherited the variable, or that are in the session which
 * `leader` opened. Processes of other users are invisible here as they are to `kill`.
 */
export function findDescendants(
  variable: string,
  value: string,
  leader: ProcessIdentity | undefined,
): number[] {
  const entry = Buffer.from(`\0${variable}=${value}\0`).toString("latin1");
  const session = leader && sessionIsOurs(leader) ? leader.pid : undefined;
  const since = leader && isOfThisBoot(leader) ? parseInt(leader.started, 10) : 0;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid)
    .filter((pid) => {
      const stat = readStat(pid);
      if (!stat || stat.state === "Z" || stat.state === "X") return false;
      // Who was there before the leader inherits nothing of it.
      if (Number(stat.ticks) < since) return false;
      return stat.session === session || environHas(pid, entry);
    });
}

/** Memory of a process that is no file's, in bytes; 0 when it is gone. */
export function memoryOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const kilobytes = ["RssAnon", "RssShmem"].map((name) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0),
    );
    return kilobytes.reduce((sum, one) => sum + one, 0) * 1024;
  } catch {
    return 0;
  }
}

/**
 * Memory of each of these processes with all that it has started, in bytes, as `memoryOf` counts it: its session and its
 * descendants. What daemonised itself is not counted: to find it, every process's environment would have to be read.
 */
export function memoryOfTrees(leaders: readonly number[]): number[] {
  if (leaders.length === 0) return [];
  const stats = new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((name) => [Number(name), readStat(Number(name))]),
  );
  const wanted = new Map(leaders.map((pid, index) => [pid, index]));
  const sums = leaders.map(() => 0);
  for (const [pid, stat] of stats) {
    const leader = leaderOf(pid, stats, wanted) ?? (stat && wanted.get(stat.session));
    if (leader !== undefined) sums[leader] = (sums[leader] ?? 0) + memoryOf(pid);
  }
  return sums;
}

function leaderOf(
  pid: number,
  stats: ReadonlyMap<number, Stat | undefined>,
  wanted: ReadonlyMap<number, number>,
): number | undefined {
  // Read one after the other, they may make a circle when a pid is given again.
  let at = pid;
  for (let steps = 0; steps < 64 && at > 1; steps++) {
    const found = wanted.get(at);
    if (found !== undefined) return found;
    at = stats.get(at)?.parent ?? 0;
  }
  return undefined;
}

/** Kills with SIGKILL; false when the process is gone or another user's. */
export const killNow = (pid: number): boolean => kill(pid, "SIGKILL");

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** A session keeps its leader's pid from being given again; a later process with that pid leads another. */
function sessionIsOurs(leader: ProcessIdentity): boolean {
  const now = readStat(leader.pid);
  return now === undefined || `${now.ticks}@${bootId()}` === leader.started;
}

interface Stat {
  state: string;
  parent: number;
  session: number;
  ticks: string;
}

function readStat(pid: number): Stat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field, the command, may hold spaces and brackets; counting begins behind the last one.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state = "", parent, , session] = fields;
  return { state, parent: Number(parent), session: Number(session), ticks: fields[19] ?? "" };
}

/** `entry` with its zero before and behind, as Latin-1 like everything here: bytes are compared. */
function environHas(pid: number, entry: string): boolean {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`.includes(entry);
  } catch {
    return false;
  }
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  return boot;
}
