import { ESCAPE, hasNoText, plainText } from "./terminal-text.ts";

/**
 * A line that never ends is logged in pieces of this size, so that memory stays bounded; even when each
 * character is escaped in the log (`\u0000`), a piece is not longer than a record may be.
 */
const MAX_LINE_CHARS = 16_000;
/** Forgotten lines are removed together, when there are this many of them. */
const MANY_LINES = 1024;
const CARRIAGE_RETURN = 13;

/** Is shown lines that came together, as a person reads them, and the number of each in the log. */
export type LineWatcher = (lines: readonly string[], logLines: readonly number[]) => void;

/** Takes lines that came together, and what a person reads of each; says the number of each in the log. */
type LogLines = (lines: readonly string[], plain: readonly string[]) => readonly number[];

/**
 * Logs what the DUT says line by line (DISPATCHER.md 7.2): lines end with `\r\r\n`, `\r\n` or `\n`; an
 * unfinished one is kept until it ends or `flush`. ESC characters are left out.
 */
export class Transcript {
  readonly #log: LogLines;
  #partial = "";
  #isPlain = true;
  #offset = 0;
  /** Of each line that was logged: the offset of its end, in characters from the first one, and its number. */
  #ends: number[] = [];
  #numbers: number[] = [];
  #forgotten = 0;

  constructor(log: LogLines) {
    this.#log = log;
  }

  add(text: string): void {
    this.#isPlain &&= !hasNoText(text);
    const lines: string[] = [];
    let begin = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", begin)) {
      const line = this.#partial + text.slice(begin, end);
      this.#partial = "";
      this.#end(this.#endPieces(line, lines), 1, lines);
      begin = end + 1;
    }
    this.#partial = this.#endPieces(this.#partial + text.slice(begin), lines);
    this.#write(lines);
    this.#isPlain ||= this.#partial === "";
  }

  flush(): void {
    if (this.#partial === "") return;
    const lines: string[] = [];
    this.#end(this.#partial, 0, lines);
    this.#partial = "";
    this.#write(lines);
  }

  /** Line of the log that holds the character at this offset; undefined while that line has not ended. */
  lineAt(offset: number): number | undefined {
    for (let at = this.#forgotten; at < this.#ends.length; at++) {
      if ((this.#ends[at] ?? 0) > offset) return this.#numbers[at];
    }
    return undefined;
  }

  /** Forgets the lines that end before this offset: nobody will ask for them. */
  forget(offset: number): void {
    while ((this.#ends[this.#forgotten] ?? Infinity) <= offset) this.#forgotten++;
    if (this.#forgotten < MANY_LINES || this.#forgotten * 2 < this.#ends.length) return;
    this.#ends = this.#ends.slice(this.#forgotten);
    this.#numbers = this.#numbers.slice(this.#forgotten);
    this.#forgotten = 0;
  }

  /** Ends what is too much for a line, and returns the rest. */
  #endPieces(line: string, lines: string[]): string {
    let rest = line;
    for (; rest.length > MAX_LINE_CHARS; rest = rest.slice(MAX_LINE_CHARS)) {
      this.#end(rest.slice(0, MAX_LINE_CHARS), 0, lines);
    }
    return rest;
  }

  #end(line: string, newline: number, lines: string[]): void {
    this.#offset += line.length + newline;
    let { length } = line;
    for (let n = 0; n < 2 && line.charCodeAt(length - 1) === CARRIAGE_RETURN; n++) length--;
    lines.push(length === line.length ? line : line.slice(0, length));
    this.#ends.push(this.#offset);
  }

  /** Logs them together: of a flood, what is done once for many lines costs next to nothing. */
  #write(lines: readonly string[]): void {
    if (lines.length === 0) return;
    const logged = this.#isPlain ? lines : lines.map((line) => line.replaceAll(ESCAPE, ""));
    const plain = this.#isPlain ? lines : lines.map(plainText);
    for (const number of this.#log(logged, plain)) this.#numbers.push(number);
  }
}
