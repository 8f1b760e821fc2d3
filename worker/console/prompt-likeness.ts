import type { Console } from "./console.ts";
import { lastLine, plainText } from "./terminal-text.ts";

/** The lines in which prompts stood, of each console: a damaged one is known by them. */
const lastPrompts = new WeakMap<Console, Map<string, string>>();

type Patterns = Readonly<Record<string, RegExp>>;

const keyOf = (prompts: Patterns): string =>
  Object.values(prompts)
    .map(({ source }) => source)
    .join("|");

/** Notes the line in which one of these prompts stood at the end of the output. */
export function rememberPrompt(console: Console, prompts: Patterns, line: string): void {
  const lines = lastPrompts.get(console) ?? new Map<string, string>();
  lastPrompts.set(console, lines);
  const before = lines.get(keyOf(prompts));
  // What is longer may have noise behind it.
  if (before === undefined || line.length < before.length) lines.set(keyOf(prompts), line);
}

/** The line in which one of these prompts stood last; empty when none did. */
export const lastPromptOf = (console: Console, prompts: Patterns): string =>
  lastPrompts.get(console)?.get(keyOf(prompts)) ?? "";

/** Whether what came last is, alone in its line, a prompt that stood there before. */
export function showsLastPrompt(console: Console): boolean {
  const shown = lastLine(plainText(console.textSince(console.received - 2 * MAX_CHARS)));
  return shown !== "" && [...(lastPrompts.get(console)?.values() ?? [])].includes(shown);
}

/** A longer line is no prompt that is worth remembering. */
const MAX_CHARS = 120;

/** Messages of the kernel that may stand between the two halves of a prompt. */
const MAX_LINES = 6;

/**
 * Whether the end of an output is a prompt that was damaged on the wire: nearly the line that the same prompt stood in before,
 * or that line cut in two by others which came in between, as no time stamp tells.
 */
export function isDamagedPrompt(shown: string, before: string): boolean {
  const lines = shown.split(/\r*\n/).slice(-MAX_LINES);
  const last = (lines.pop() ?? "").trim();
  const wanted = before.trim();
  // Of a very short one nearly everything is nearly it.
  if (wanted.length < 2 || wanted.length > MAX_CHARS) return false;
  if (last !== "" && distance(last, wanted) <= (wanted.length < 8 ? 1 : 2)) return true;
  const head = wanted.slice(0, wanted.length - last.length).trim();
  if (head.length < 2 || !wanted.endsWith(last)) return false;
  return lines.some((line) =>
    head.length < 4 ? line.trimStart().startsWith(head) : line.includes(head),
  );
}

/** How many characters were dropped, added or changed: more than 3 count as 3. */
function distance(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 2) return 3;
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const changed = (previous[column - 1] ?? 0) + Number(one[row - 1] !== other[column - 1]);
      const added = Math.min(previous[column] ?? 0, current[column - 1] ?? 0) + 1;
      current.push(Math.min(changed, added));
    }
    previous = current;
  }
  return Math.min(3, previous.at(-1) ?? 3);
}
