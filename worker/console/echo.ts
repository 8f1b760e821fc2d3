import { withoutKernelLines } from "./kernel-lines.ts";
import { ESCAPE_SEQUENCE, lastLine, plainText } from "./terminal-text.ts";

/** What has come back of a line that was typed. */
export type Echo =
  /** All of it, and nothing else. */
  | "whole"
  /** What came so far fits. */
  | "partial"
  /** Nothing that could be part of it; at most what came late and stands before it. */
  | "none"
  /** Something else came. */
  | "damaged";

/**
 * Compares what a far side said since a line was typed with that line. A far side may break the line where its terminal
 * ends, paint the character there twice, colour it; the kernel may print into it. Before it there may stand what
 * came late: whole lines, and a prompt that one of `prompts` finds.
 */
export function compareEcho(said: string, line: string, prompts: readonly RegExp[] = []): Echo {
  const text = withoutKernelLines(said);
  let best: Echo = "damaged";
  for (const start of starts(text, line)) {
    const echo = walk(text.slice(start), line);
    if (echo === "damaged" || echo === "none" || !mayStandBefore(text.slice(0, start), prompts))
      continue;
    if (echo === "whole") return echo;
    best = echo;
  }
  if (best === "partial") return best;
  // A prompt may have any short line in it.
  const isLate = line.length < PART_CHARS && mayStandBefore(text, prompts);
  return isLate || !hasPartOf(text, line) ? "none" : best;
}

const PART_CHARS = 5;

/** Whether some characters in a row of a line, of a short one half of it, stand in a text. */
export function hasPartOf(text: string, line: string): boolean {
  const size = Math.min(PART_CHARS, Math.ceil(line.length / 2));
  for (let at = 0; at + size <= line.length; at++) {
    if (text.includes(line.slice(at, at + size))) return true;
  }
  return false;
}

const MAX_STARTS = 64;

/** Where an echo may begin: at once, and wherever its first characters stand. */
function starts(text: string, line: string): number[] {
  const found = [0];
  const head = line[0] ?? "";
  for (let at = text.indexOf(head, 1); at > 0; at = text.indexOf(head, at + 1)) {
    found.push(at);
    if (found.length > MAX_STARTS) found.splice(1, 1);
  }
  return found;
}

/** Whole lines; in the echo's own a prompt, of which a pattern may know the beginning only. */
function mayStandBefore(before: string, prompts: readonly RegExp[]): boolean {
  const sameLine = plainText(lastLine(before)).replaceAll("\r", "");
  if (sameLine.trim() === "") return true;
  return prompts.some((prompt) => {
    prompt.lastIndex = 0;
    const found = prompt.exec(sameLine);
    return found !== null && /^\s?\S*\s*$/.test(sameLine.slice(found.index + found[0].length));
  });
}

/** What stands between an echo's characters and is none: line breaks, sequences, a space that only makes a terminal wrap. */
const BETWEEN = new RegExp(
  String.raw`\r*\n|\r+(?=\r|$)|${ESCAPE_SEQUENCE}|[\0\x07]| \x08| \r(?!\r*\n)`,
  "y",
);

function walk(text: string, line: string): Echo {
  let at = 0;
  for (let n = 0; ;) {
    BETWEEN.lastIndex = at;
    const between = BETWEEN.exec(text);
    if (between) at += between[0].length;
    else if (text[at] === "\r") {
      // Where its terminal wraps, bash paints the character once more at the beginning of the next line.
      at += n > 0 && text[at + 1] === line[n - 1] ? 2 : 1;
    } else if (at >= text.length) return n === line.length ? "whole" : n > 0 ? "partial" : "none";
    else if (n < line.length && text[at] === line[n]) [at, n] = [at + 1, n + 1];
    else return "damaged";
  }
}

/**
 * Whether what a far side shows behind the cursor's line is the end of what was typed, at least the last `count` characters of it: for
 * one that shows only part of a long line and paints it anew.
 */
export function showsEnd(said: string, typed: string, count: number): boolean {
  const shown = cursorLine(withoutKernelLines(said));
  const tails = [shown, shown.replace(/^<\s?/, ""), shown.replace(/^\S*[#$>] /, "")];
  return tails.some((tail) => tail.length >= count && typed.endsWith(tail));
}

/** What a terminal shows in the cursor's line, up to the cursor. */
function cursorLine(text: string): string {
  const row: string[] = [];
  let column = 0;
  for (const character of text.replace(new RegExp(ESCAPE_SEQUENCE, "g"), "")) {
    if (character === "\r") column = 0;
    else if (character === "\n") [row.length, column] = [0, 0];
    else if (character === "\b") column = Math.max(0, column - 1);
    else if (character >= " ") row[column++] = character;
  }
  return row.slice(0, column).join("");
}
