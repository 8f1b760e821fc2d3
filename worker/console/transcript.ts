import { ESCAPE, hasNoText, plainText } from "./terminal-text.ts";

/**
 * A line that never ends is logged in pieces of this size, so that memory stays bounded; even when each
 * character is escaped in the log (`\u0000`), a piece is not longer than a record may be.
 */
const MAX_LINE_CHARS = 16_000;
/** Forgotten lines are removed together, when there are this many of them. */
const MANY_LINES = 1024;
const CARRIAGE_RETURN = 13;

/**
 * Logs what the DUT says line by line (DISPATCHER.md 7.2): lines end with `\r\r\n`, `\r\n` or `\n`; an
 * unfinished one is kept until it ends or `flush`. ESC characters are left out; `plain` is what a person reads of the line.
 */
export class Transcript {
  readonly #log: (line: string, plain: string) => number;
  #partial = "";
  #isPlain = true;
  #offset = 0;
  /** Of each line that was logged: the offset of its end, in characters from the first one, and its number. */
  #ends: number[] = [];
  #numbers: number[] = [];
  #forgotten = 0;

  constructor(log: (line: string, plain: string) => number) {
    this.#log = log;
  }

  add(text: string): void {
    this.#isPlain &&= !hasNoText(text);
    let begin = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", begin)) {
      const line = this.#partial + text.slice(begin, end);
      this.#partial = "";
      this.#write(this.#writePieces(line), 1);
      begin = end + 1;
    }
    this.#partial = this.#writePieces(this.#partial + text.slice(begin));
    this.#isPlain ||= this.#partial === "";
  }

  flush(): void {
    if (this.#partial === "") return;
    this.#write(this.#partial, 0);
    this.#partial = "";
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

  /** Writes what is too much for a line, and returns the rest. */
  #writePieces(line: string): string {
    let rest = line;
    for (; rest.length > MAX_LINE_CHARS; rest = rest.slice(MAX_LINE_CHARS)) {
      this.#write(rest.slice(0, MAX_LINE_CHARS), 0);
    }
    return rest;
  }

  #write(line: string, newline: number): void {
    this.#offset += line.length + newline;
    let { length } = line;
    for (let n = 0; n < 2 && line.charCodeAt(length - 1) === CARRIAGE_RETURN; n++) length--;
    const text = length === line.length ? line : line.slice(0, length);
    const [logged, plain] = this.#isPlain
      ? [text, text]
      : [text.replaceAll(ESCAPE, ""), plainText(text)];
    this.#numbers.push(this.#log(logged, plain));
    this.#ends.push(this.#offset);
  }
}
