import { firstOf, hasAll, soughtOf, type Sought } from "./sought.ts";

/** A pattern found in what was seen and not yet consumed. */
export interface Found {
  readonly match: RegExpExecArray;
  /** Offsets from the very first character. */
  readonly start: number;
  readonly end: number;
}

/** How far the search for a pattern is; offsets from the very first character. */
interface Searched {
  readonly sought: Sought;
  /** The text was looked at up to here. */
  upTo: number;
  /** No match begins before. */
  from: number;
  /** Nor does what is rarest in each match. */
  rarestFrom: number;
  /** As long as nothing is added. */
  found: Found | undefined;
  /** Where it was found in a line that had not ended yet. */
  unended: number | undefined;
  /** What was consumed since may have made a match where the rest begins: of `^`. */
  startMoved: boolean;
}

/** A match that begins earlier than this many characters before its end may be missed; LAVA's is 4,000. */
const OVERLAP_CHARS = 4_096;
/** What nobody waited for is forgotten beyond this: the log has it. */
const MAX_CHARS = 256 * 1024;
/** This much stays at hand; more than the overlap. */
const RECENT_CHARS = 8 * 1024;
/** So much of what was consumed can be looked at again. */
const HISTORY_CHARS = 16 * 1024;
/** Longer text is searched piece by piece: what a pattern with `.*` costs grows with the square of it. */
const WINDOW_CHARS = 32 * 1024;

/**
 * What the DUT said and nobody consumed yet, searched without looking at any text twice: the cost of
 * reading is proportional to what comes, however it is cut into pieces, however large a burst.
 */
export class SeenText {
  /** Offset of the first character that is not consumed. */
  #start = 0;
  /** Older text in pieces: searched, put aside, and joined again for a pattern that is new. */
  #aside: string[] = [];
  #asideStart = 0;
  /** What follows, some of it consumed; all of it is copied for each search after an addition, so it stays short. */
  #text = "";
  #textStart = 0;
  #searched = new Map<string, Searched>();

  get start(): number {
    return this.#start;
  }

  /** Offset of the end of what was seen. */
  get end(): number {
    return this.#textStart + this.#text.length;
  }

  /** The last `count` characters that nobody consumed. */
  tail(count: number): string {
    return this.since(Math.max(this.#start, this.end - count));
  }

  /** What came behind an offset, consumed or not; of long text its end. */
  since(offset: number): string {
    if (offset < this.#textStart) this.#join();
    return this.#text.slice(Math.max(0, offset - this.#textStart));
  }

  add(text: string): void {
    if (this.#text.length > 2 * RECENT_CHARS) this.#putAside();
    this.#text += text;
    if (this.end - this.#start > MAX_CHARS) this.consume(this.end - MAX_CHARS / 2);
  }

  /** The first place where `pattern` (flag g) is found; with `inLine` only once its line has ended. */
  find(pattern: RegExp, { inLine = false } = {}): Found | undefined {
    const searched = this.#searchOf(soughtOf(pattern), inLine);
    if (searched.startMoved) this.#lookAtStart(searched);
    if (searched.upTo === this.end) return searched.found;
    if (searched.unended !== undefined && !this.since(searched.upTo).includes("\n")) {
      searched.upTo = this.end;
      return undefined;
    }
    const found = this.#search(searched);
    const overlap = this.end - OVERLAP_CHARS;
    searched.upTo = this.end;
    searched.from = Math.max(this.#start, found ? Math.min(found.start, overlap) : overlap);
    // What is found of a line that is still being printed may be the beginning of a word.
    const isWhole = !inLine || !found || this.#lineHasEnded(found);
    searched.found = isWhole ? found : undefined;
    searched.unended = isWhole ? undefined : found?.start;
    return searched.found;
  }

  /** What stands between what was consumed and an offset. */
  before(offset: number): string {
    return this.since(this.#start).slice(0, offset - this.#start);
  }

  /** What stands in the same line before an offset, consumed or not; of a long line its end. */
  lineBefore(offset: number): string {
    const begin = Math.max(this.#asideStart, offset - OVERLAP_CHARS);
    const before = this.since(begin).slice(0, offset - begin);
    return before.slice(before.lastIndexOf("\n") + 1);
  }

  consume(offset: number): void {
    this.#start = offset;
    for (const [key, searched] of this.#searched) {
      const at = searched.found?.start ?? searched.unended ?? offset;
      // A match across the new start, or one that was found in what is gone, has to be looked for again.
      if (searched.upTo <= offset || at < offset || searched.sought.looksBehind) {
        this.#searched.delete(key);
      } else {
        searched.from = Math.max(searched.from, offset);
        searched.startMoved = true;
      }
    }
    this.#dropOld();
  }

  #searchOf(sought: Sought, inLine: boolean): Searched {
    const key = inLine ? sought.lineKey : sought.key;
    let searched = this.#searched.get(key);
    if (!searched) {
      const from = this.#start;
      const nothing = { found: undefined, unended: undefined, startMoved: false };
      searched = { sought, upTo: -1, from, rarestFrom: from, ...nothing };
      this.#searched.set(key, searched);
    }
    return searched;
  }

  #lookAtStart(searched: Searched): void {
    searched.startMoved = false;
    const { atStart } = searched.sought;
    if (!atStart) return;
    atStart.lastIndex = 0;
    if (!atStart.test(this.since(this.#start))) return;
    searched.upTo = -1;
    searched.from = searched.rarestFrom = this.#start;
    searched.unended = undefined;
  }

  #search(searched: Searched): Found | undefined {
    const { pattern, required, rarest, rarestChars } = searched.sought;
    // Where the text begins is known only of all that is not consumed.
    const isNear = searched.from > this.#textStart || this.#start >= this.#textStart;
    const begin = isNear ? Math.max(this.#start, this.#textStart) : this.#start;
    const text = this.since(begin);
    const from = searched.from - begin;
    if (rarest) {
      const at = firstOf(rarest, text, Math.max(from, searched.rarestFrom - begin));
      searched.rarestFrom = at < 0 ? this.end - rarestChars + 1 : begin + at;
      if (at < 0 || !hasAll(required, text, from)) return undefined;
    }
    const match = execFrom(pattern, text, from);
    if (!match) return undefined;
    const start = begin + match.index;
    return { match, start, end: start + match[0].length };
  }

  /** The newline may be the match's own last character. */
  #lineHasEnded({ start, end }: Found): boolean {
    return this.since(Math.max(start, end - 1)).includes("\n");
  }

  #putAside(): void {
    const length = this.#text.length - RECENT_CHARS;
    this.#aside.push(this.#text.slice(0, length));
    this.#text = this.#text.slice(length);
    this.#textStart += length;
    this.#dropOld();
  }

  #dropOld(): void {
    const old = this.#start - HISTORY_CHARS;
    for (let [first] = this.#aside; first !== undefined; [first] = this.#aside) {
      if (this.#asideStart + first.length > old) break;
      this.#asideStart += first.length;
      this.#aside.shift();
    }
  }

  #join(): void {
    if (this.#aside.length === 0) return;
    this.#text = this.#aside.join("") + this.#text;
    this.#aside = [];
    this.#textStart = this.#asideStart;
  }
}

/** The first match at or behind `from`; its index counts in the whole text. */
function execFrom(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  let at = from;
  for (; text.length - at > WINDOW_CHARS; at += WINDOW_CHARS - OVERLAP_CHARS) {
    // Some of what stands before, so that the pattern sees that this is not the beginning.
    const windowStart = Math.max(0, at - OVERLAP_CHARS);
    const window = text.slice(windowStart, at + WINDOW_CHARS);
    const match = search(pattern, window, at - windowStart);
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
