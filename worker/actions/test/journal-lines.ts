/**
 * The lines of the journal (docs/journal.md): what the test shell prints, and what is typed in answer. The scripts of
 * worker/overlay/scripts/journal.ts are the other end.
 */

/** A line with its tail: `<LAVA_SIGNAL_X y> ~ID.N.SUM~`. Nothing of it can be an earlier line that was cut. */
export const JOURNALLED =
  /<LAVA_((?:(?!<LAVA_)[ -~])*)> ~(\d{1,9})\.(\d{1,9})\.(\d{1,5}-\d{1,5})~/g;

export interface JournalLine {
  /** Of the run of lava-test-runner that keeps the journal. */
  readonly id: string;
  /** Its number, from 1; of a word, the number of the last entry. */
  readonly number: number;
  readonly text: string;
}

/** A match of `JOURNALLED`; undefined when its sum says that it is damaged. */
export function journalLine([, text, id, number, sum]: RegExpExecArray): JournalLine | undefined {
  const line = { id: id ?? "", number: Number(number), text: `<LAVA_${text}>` };
  return journalSum(`${id}.${number} ${line.text}`) === sum ? line : undefined;
}

/** What the DUT says of its journal when it waits for an answer: `ENDS` after all tests, `DONE` once that is answered. */
export type JournalWord = "STARTS" | "STARTS POLLS" | "HOLDS" | "ENDS" | "DONE";

const WORD = /^<LAVA_JOURNAL (STARTS|STARTS POLLS|HOLDS|ENDS|DONE)>$/;

/** The word of a line that is no entry. */
export const journalWord = ({ text }: JournalLine): JournalWord | undefined =>
  WORD.exec(text)?.[1] as JournalWord | undefined;

/** Says that everything up to a number is here. For a shell it is a comment. */
export const journalOk = (id: string, number: number): string => typed(`${id} OK ${number}`);

/** Asks for entries once more. */
export const journalWant = (id: string, numbers: readonly number[]): string =>
  typed(`${id} WANT ${ranges(numbers, MAX_WANT_CHARS)}`);

const typed = (words: string): string => `#LAVA_JOURNAL ${words} ${journalSum(words)}`;

/** A longer line is more likely to be damaged on its way; what doesn't fit is asked for later. */
const MAX_WANT_CHARS = 60;

/** `12,15-17` of ascending numbers; as much as fits. */
export function ranges(numbers: readonly number[], maxChars = Number.POSITIVE_INFINITY): string {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  let text = "";
  for (const [first, last] of found) {
    const range = first === last ? String(first) : `${first}-${last}`;
    if (text !== "" && text.length + range.length >= maxChars) break;
    text += text === "" ? range : `,${range}`;
  }
  return text;
}

/** How many are asked for at once. */
export const MAX_WANTED = 100;

/**
 * The sum of a text: two polynomials over its characters, modulo primes, which any POSIX shell computes in 32-bit
 * numbers without starting a program (`cksum` is missing in many a busybox, and each fork costs milliseconds on a
 * small DUT). A wrong text passes once in four milliards. Characters other than printable ASCII have none: they all
 * count as the same one, and no entry has them.
 */
export function journalSum(text: string): string {
  let a = 1;
  let b = 1;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at) - 32;
    const value = code >= 0 && code < 95 ? code : 95;
    a = (a * 8191 + value) % 65_521;
    b = (b * 30_011 + value) % 65_497;
  }
  return `${a}-${b}`;
}
