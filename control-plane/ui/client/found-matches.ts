/** Where a match is: its line, and where in the line's text it begins. Both count from 0. */
export interface Place {
  line: number;
  start: number;
}

export interface Match extends Place {
  length: number;
}

/** What a text was found in, in the order of the log. */
export class FoundMatches {
  count = 0;
  /** Three numbers a match: line, start, length. */
  #found = new Uint32Array(3 * 256);

  clear(): void {
    this.count = 0;
  }

  /**
   * Adds what was found in the lines from `start` up to `end`. A block that grows is searched more than once, and may have grown
   * beyond what was asked for: what else is in `found` is left out.
   */
  add(found: Uint32Array, start: number, end: number): void {
    const news = found.subarray(indexOf(found, found.length / 3, { line: start, start: 0 }) * 3);
    const size = indexOf(news, news.length / 3, { line: end, start: 0 }) * 3;
    this.#grow(3 * this.count + size);
    this.#found.set(news.subarray(0, size), 3 * this.count);
    this.count += size / 3;
  }

  lineAt = (n: number): number => this.#found[3 * n] ?? 0;

  matchAt = (n: number): Match => ({
    line: this.lineAt(n),
    start: this.#found[3 * n + 1] ?? 0,
    length: this.#found[3 * n + 2] ?? 0,
  });

  /** The how manyth match is the first at or after a place. */
  indexOf = (place: Place): number => indexOf(this.#found, this.count, place);

  /** Those of one line. */
  matchesIn(line: number): Match[] {
    const matches: Match[] = [];
    const first = this.indexOf({ line, start: 0 });
    for (let n = first; n < this.count && this.lineAt(n) === line; n++) {
      matches.push(this.matchAt(n));
    }
    return matches;
  }

  #grow(size: number): void {
    if (size <= this.#found.length) return;
    const larger = new Uint32Array(2 * size);
    larger.set(this.#found);
    this.#found = larger;
  }
}

function indexOf(found: Uint32Array, count: number, { line, start }: Place): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = found[3 * middle] ?? 0;
    if (at < line || (at === line && (found[3 * middle + 1] ?? 0) < start)) low = middle + 1;
    else high = middle;
  }
  return low;
}
