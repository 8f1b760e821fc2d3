import { shellQuote } from "../overlay/shell-quote.ts";

/** The size of a console's pseudo-terminal, which programs ask for to break their lines. */
export const ROWS = 24;
export const COLUMNS = 80;

/** How long a program may take to end when its terminal hangs up, before it is killed. */
export const GRACE_MS = 1000;

/** Signals all processes of the group that `leader` leads, as a terminal does when it hangs up. */
export function hangUp(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // It has just ended.
  }
}

/**
 * A shell command that makes its terminal raw, runs the command `hello` and becomes the program. Each word is
 * quoted: whatever it holds, it is an argument.
 */
export const inRawTerminal = (argv: readonly string[], hello = ":"): string =>
  `stty raw -echo rows ${ROWS} cols ${COLUMNS}; ${hello}; exec ${argv.map(shellQuote).join(" ")}`;
