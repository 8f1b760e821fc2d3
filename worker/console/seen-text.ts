/** A pattern found in what was seen and not yet consumed. */
export interface Found {
  readonly match: RegExpExecArray;
  /** Offsets from the very first character. */
  readonly start: number;
  readonly end: number;
}

interface Searched {
  /** Nothing that ends before this offset is still to be found. */
  upTo: number;
  found?: Found;
}

/** A match that begins earlier than this many characters before its end may be missed; LAVA's is 4,000. */
const OVERLAP_CHARS = 4_096;
/** What nobody waited for is forgotten beyond this: the log has it. */
const MAX_CHARS = 256 * 1024;
/** Of what was searched this much stays at hand; more than the overlap. */
const RECENT_CHARS = 8 * 1024;
/** Longer text is searched piece by piece: what a pattern with `.*` costs grows with the square of it. */
const WINDOW_CHARS = 32 * 1024;

/**
 * What the DUT said and nobody consumed yet, searched without looking at any text twice: the cost of
 * reading is proportional to what comes, however it is cut into pieces, however large a burst.
 */
export class SeenText {
  /** Offset of the first character that is not consumed. */
  #start = 0;
  /** From there on, in pieces: searched, put aside, and joined again for a pattern that is new. */
  #aside: string[] = [];
  /** What follows; all of it is copied for each search after an addition, so it stays short. */
  #text = "";
  #textStart = 0;
  #searched = new Map<string, Searched>();
  /** The part of the current line that is consumed. */
  #lineHead = "";

  get start(): number {
    return this.#start;
  }

  /** Offset of the end of what was seen. */
  get end(): number {
    return this.#textStart + this.#text.length;
  }

  /** The last `count` characters that nobody consumed. */
  tail(count: number): string {
    if (count > this.#text.length) this.#join();
    return this.#text.slice(-count);
  }

  add(text: string): void {
    if (this.#text.length > 2 * RECENT_CHARS) this.#putAside();
    this.#text += text;
    if (this.end - this.#start > MAX_CHARS) this.consume(this.end - MAX_CHARS / 2);
  }

  /** The first place where `pattern` (flag g) is found; with `inLine` only once its line has ended. */
  find(pattern: RegExp, { inLine = false } = {}): Found | undefined {
    const key = `${inLine ? "line " : ""}${pattern.flags}/${pattern.source}`;
    const searched = this.#searched.get(key) ?? { upTo: this.#start };
    this.#searched.set(key, searched);
    if (searched.found && searched.found.start >= this.#start) return searched.found;
    delete searched.found;
    const from = Math.max(this.#start, searched.upTo - OVERLAP_CHARS);
    if (from <= this.#textStart) this.#join();
    const match = execFrom(pattern, this.#text, from - this.#textStart);
    searched.upTo = this.end;
    if (!match) return undefined;
    const start = this.#textStart + match.index;
    // The newline may be the match's own last character.
    const last = match.index + Math.max(match[0].length - 1, 0);
    if (inLine && !this.#text.includes("\n", last)) {
      // What is found of a line that is still being printed may be the beginning of a word.
      searched.upTo = start;
      return undefined;
    }
    searched.found = { match, start, end: start + match[0].length };
    return searched.found;
  }

  /** What stands between what was consumed and an offset. */
  before(offset: number): string {
    this.#join();
    return this.#text.slice(0, offset - this.#textStart);
  }

  /** What stands in the same line before an offset, consumed or not. */
  lineBefore(offset: number): string {
    const before = this.before(offset);
    const newline = before.lastIndexOf("\n");
    return newline < 0 ? this.#lineHead + before : before.slice(newline + 1);
  }

  consume(offset: number): void {
    this.#lineHead = this.lineBefore(offset).slice(-OVERLAP_CHARS);
    this.#text = this.#text.slice(offset - this.#textStart);
    this.#start = this.#textStart = offset;
    // A match across the new start, or one that was found in what is gone, has to be looked for again.
    for (const searched of this.#searched.values()) {
      if (searched.found && searched.found.start < offset) {
        searched.upTo = offset;
        delete searched.found;
      }
    }
  }

  #putAside(): void {
    const length = this.#text.length - RECENT_CHARS;
    this.#aside.push(this.#text.slice(0, length));
    this.#text = this.#text.slice(length);
    this.#textStart += length;
  }

  #join(): void {
    if (this.#aside.length === 0) return;
    this.#text = this.#aside.join("") + this.#text;
    this.#aside = [];
    this.#textStart = this.#start;
  }
}

/** The first match at or behind `from`; its index counts in the whole text. */
function execFrom(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  let at = from;
  for (; text.length - at > WINDOW_CHARS; at += WINDOW_CHARS - OVERLAP_CHARS) {
    // One character before, so that `^` and `\b` see that this is not the beginning.
    const windowStart = Math.max(0, at - 1);
    const window = text.slice(windowStart, at + WINDOW_CHARS);
    pattern.lastIndex = at - windowStart;
    const match = pattern.exec(window);
    if (!match) continue;
    const start = windowStart + match.index;
    // What ends with the window may go on behind it.
    if (match.index + match[0].length === window.length) return search(pattern, text, start);
    match.index = start;
    return match;
  }
  return search(pattern, text, at);
}

function search(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(text);
}
