/** Lines that a text was found in, in their order, with where the match in each begins and how long it is. Lines count from 0. */
export class FoundLines {
  count = 0;
  /** Three numbers a line. */
  #found = new Uint32Array(3 * 256);

  clear(): void {
    this.count = 0;
  }

  /**
   * Adds what was found in the lines from `start` up to `end`. A block that grows is searched more than once, and may have grown
   * beyond what was asked for: what else is in `found` is left out.
   */
  add(found: Uint32Array, start: number, end: number): void {
    const news = found.subarray(placeOf(found, found.length / 3, start) * 3);
    const size = placeOf(news, news.length / 3, end) * 3;
    this.#grow(3 * this.count + size);
    this.#found.set(news.subarray(0, size), 3 * this.count);
    this.count += size / 3;
  }

  lineAt = (n: number): number => this.#found[3 * n] ?? 0;

  /** The first that was found at or after a line. */
  placeOf = (line: number): number => placeOf(this.#found, this.count, line);

  /** Where the match is in the line's text, when it is one that was found. */
  matchIn(line: number): { start: number; length: number } | undefined {
    const n = this.placeOf(line);
    if (n >= this.count || this.lineAt(n) !== line) return undefined;
    return { start: this.#found[3 * n + 1] ?? 0, length: this.#found[3 * n + 2] ?? 0 };
  }

  #grow(size: number): void {
    if (size <= this.#found.length) return;
    const larger = new Uint32Array(2 * size);
    larger.set(this.#found);
    this.#found = larger;
  }
}

function placeOf(found: Uint32Array, count: number, line: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((found[3 * middle] ?? 0) < line) low = middle + 1;
    else high = middle;
  }
  return low;
}
