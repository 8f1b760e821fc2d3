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
const MAX_CHARS = 1024 * 1024;

/**
 * What the DUT said and nobody consumed yet, searched without looking at any text twice: the cost of
 * reading is proportional to what comes, however it is cut into pieces, however large a burst.
 */
export class SeenText {
  #text = "";
  #base = 0;
  #searched = new Map<string, Searched>();
  /** The part of the current line that is consumed. */
  #lineHead = "";

  /** Offset of the end of what was seen. */
  get end(): number {
    return this.#base + this.#text.length;
  }

  /** The last `count` characters that nobody consumed. */
  tail(count: number): string {
    return this.#text.slice(-count);
  }

  add(text: string): void {
    this.#text += text;
    if (this.#text.length > MAX_CHARS) this.consume(this.end - MAX_CHARS / 2);
  }

  /** The first place where `pattern` (flag g) is found. */
  find(pattern: RegExp): Found | undefined {
    const key = `${pattern.flags}/${pattern.source}`;
    const searched = this.#searched.get(key) ?? { upTo: this.#base };
    this.#searched.set(key, searched);
    if (searched.found && searched.found.start >= this.#base) return searched.found;
    delete searched.found;
    const from = Math.max(this.#base, searched.upTo - OVERLAP_CHARS);
    pattern.lastIndex = from - this.#base;
    const match = pattern.exec(this.#text);
    searched.upTo = this.end;
    if (!match) return undefined;
    const start = this.#base + match.index;
    searched.found = { match, start, end: start + match[0].length };
    return searched.found;
  }

  /** What stands between what was consumed and an offset. */
  before(offset: number): string {
    return this.#text.slice(0, offset - this.#base);
  }

  /** What stands in the same line before an offset, consumed or not. */
  lineBefore(offset: number): string {
    const before = this.before(offset);
    const newline = before.lastIndexOf("\n");
    return newline < 0 ? this.#lineHead + before : before.slice(newline + 1);
  }

  consume(offset: number): void {
    this.#lineHead = this.lineBefore(offset).slice(-OVERLAP_CHARS);
    this.#text = this.#text.slice(offset - this.#base);
    this.#base = offset;
    // A match across the new start, or one that was found in what is gone, has to be looked for again.
    for (const searched of this.#searched.values()) {
      if (searched.found && searched.found.start < offset) {
        searched.upTo = offset;
        delete searched.found;
      }
    }
  }
}
