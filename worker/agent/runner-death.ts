import { isOfThisBoot, type ProcessIdentity } from "../host/process-table.ts";
import { ANYBODY } from "../host/killer.ts";
import type { Ending } from "./complete-log.ts";

/** What is known of a runner that left no result. */
export interface Death {
  /** Why it could not even be started. */
  readonly startError?: Error | undefined;
  /** Why the agent itself stopped it. */
  readonly stoppedFor?: string | undefined;
  /** Of a child of this agent. */
  readonly exitCode?: number | null | undefined;
  readonly signal?: NodeJS.Signals | null | undefined;
  /** By whom, if it was killed, as far as that is known. */
  readonly killer?: string | undefined;
  /** Who ran the job, as far as its claim can be read. */
  readonly runner?: ProcessIdentity | undefined;
  /** What it printed last. */
  readonly printed: string;
}

/** What a program's own mistakes raise; all other signals come from outside. */
const OWN_SIGNALS = new Set([
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGILL",
  "SIGSEGV",
  "SIGSYS",
  "SIGTRAP",
]);
const NO_ROOM = /\b(?:ENOSPC|EDQUOT)\b|no space left on device/i;
/** A card that is worn out is mounted read-only, or fails. */
const BROKEN = /\b(?:EROFS|EIO)\b/;
const OUT_OF_MEMORY = /out of memory|cannot allocate memory/i;

/**
 * Whose fault it is that a runner left no result: the lab's where its machine went down, its memory ran out or somebody
 * killed it, else a bug of ours.
 */
export function explainDeath(death: Death): Ending {
  const { startError, stoppedFor, exitCode, signal, runner, printed, killer = ANYBODY } = death;
  const lab = (message: string): Ending => ({ errorType: "Infrastructure", message });
  if (startError) {
    return { errorType: "Bug", message: `the runner could not be started: ${startError.message}` };
  }
  if (stoppedFor !== undefined) return lab(stoppedFor);
  if (runner && !isOfThisBoot(runner)) {
    return lab("the worker's machine was started anew (power cut, reboot) while the job ran");
  }
  const how = signal
    ? ` by ${signal}`
    : typeof exitCode === "number"
      ? ` with exit code ${exitCode}`
      : "";
  const said = printed ? `; it printed:\n${printed}` : "";
  if (NO_ROOM.test(printed)) return lab(`the worker's disk is full${said}`);
  if (BROKEN.test(printed)) return lab(`the worker's disk can't be written to, or read${said}`);
  if (OUT_OF_MEMORY.test(printed)) return lab(`the runner ran out of memory${said}`);
  const message = `the runner ended${how} without a result`;
  const isKilled = signal ? !OWN_SIGNALS.has(signal) : typeof exitCode !== "number" && !printed;
  if (!isKilled) return { errorType: "Bug", message: `${message}${said}` };
  return lab(`${message}: it was killed, ${killer}${said}`);
}
