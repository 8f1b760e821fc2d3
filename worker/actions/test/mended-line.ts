import { seamless } from "../../console/kernel-lines.ts";
import { JOURNALLED, journalLine, type JournalLine } from "./journal-lines.ts";

/** Of what came before a tail's end, so much may belong to its line: an entry's longest text, and what was printed into it. */
export const MENDED_CHARS = 4_000;

/** Where a line of the journal may end that `JOURNALLED` does not fit. What follows in its line is left there. */
export const TAIL_END = /~(?=[^~\n]*\n)/g;

/**
 * The line of the journal that a text ends with, when the kernel has printed whole messages into it, or the wire put terminal
 * sequences and control characters there: without those its sum is right. Undefined when it is damaged in another way.
 */
export function mendedLine(said: string): JournalLine | undefined {
  const text = seamless(said);
  const from = text.lastIndexOf("<LAVA_");
  if (from < 0) return undefined;
  JOURNALLED.lastIndex = from;
  const match = JOURNALLED.exec(text);
  if (!match || match.index + match[0].length !== text.length) return undefined;
  return journalLine(match);
}
