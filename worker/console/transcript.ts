/** Where in what the DUT said a line of the log stands. */
interface LoggedLine {
  /** Offset, in characters from the first one, of the line's end. */
  readonly end: number;
  readonly logLine: number;
}

/**
 * A line that never ends is logged in pieces of this size, so that memory stays bounded; even when each
 * character is escaped in the log (`\u0000`), a piece is not longer than a record may be.
 */
const MAX_LINE_CHARS = 16_000;

/**
 * Logs what the DUT says line by line (DISPATCHER.md 7.2): lines end with `\r\r\n`, `\r\n` or `\n`; an
 * unfinished one is kept until it ends or `flush`. ESC characters are left out.
 */
export class Transcript {
  readonly #log: (line: string) => number;
  #partial = "";
  #offset = 0;
  #lines: LoggedLine[] = [];

  constructor(log: (line: string) => number) {
    this.#log = log;
  }

  add(text: string): void {
    const pieces = (this.#partial + text).split("\n");
    this.#partial = pieces.pop() ?? "";
    for (const piece of pieces) this.#end(piece, 1);
    while (this.#partial.length > MAX_LINE_CHARS) {
      const head = this.#partial.slice(0, MAX_LINE_CHARS);
      this.#partial = this.#partial.slice(MAX_LINE_CHARS);
      this.#end(head, 0);
    }
  }

  flush(): void {
    if (this.#partial === "") return;
    this.#end(this.#partial, 0);
    this.#partial = "";
  }

  /** Line of the log that holds the character at this offset; undefined while that line has not ended. */
  lineAt(offset: number): number | undefined {
    return this.#lines.find(({ end }) => end > offset)?.logLine;
  }

  /** Forgets the lines that end before this offset: nobody will ask for them. */
  forget(offset: number): void {
    const kept = this.#lines.findIndex(({ end }) => end > offset);
    if (kept > 0) this.#lines = this.#lines.slice(kept);
    else if (kept < 0) this.#lines = [];
  }

  #end(line: string, newline: number): void {
    this.#offset += line.length + newline;
    const text = line.replace(/\r{1,2}$/, "").replaceAll("\u001b", "");
    this.#lines.push({ end: this.#offset, logLine: this.#log(text) });
  }
}
