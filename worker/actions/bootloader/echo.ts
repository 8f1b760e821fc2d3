import type { Console } from "../../console/console.ts";

/** How much of a line's end is looked for; the rest is before it. */
const TAIL_CHARS = 48;

/**
 * The echo of a line's last characters. A loader may break the line, move its cursor or colour what it echoes.
 */
export function echoPattern(line: string): RegExp {
  const characters = Array.from(line.trim().slice(-TAIL_CHARS), (character) =>
    character.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"),
  );
  return new RegExp(characters.join(BETWEEN), "gu");
}

/** Line breaks, backspaces and escape sequences. */
const BETWEEN = String.raw`(?:\r|\n|\x08|\x1b\[[0-9;?]*[A-Za-z])*`;

/**
 * Waits for a line's echo. One that is slow is waited for as long as it goes on coming; false when this time was silent.
 */
export async function sawEcho(
  console: Console,
  line: string,
  options: { timeoutSeconds: number; signal: AbortSignal },
): Promise<boolean> {
  if (line.trim() === "") return true;
  for (;;) {
    const { received } = console;
    if (await console.tryExpect({ echo: echoPattern(line) }, options)) return true;
    if (console.received === received) return false;
  }
}
