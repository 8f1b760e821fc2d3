/** Rows that are drawn, and measured, together. */
export const BLOCK_ROWS = 50;
/** Blocks whose sum is kept, so that no question looks at all of them: a log may have 200,000. */
const GROUP = 512;

/** How high each block of rows is: as far as it was not drawn yet, an estimate. Pixels. */
export class LogHeights {
  readonly #heights: number[] = [];
  /** Of each group of blocks. */
  readonly #sums: number[] = [];
  #rows = 0;
  /** All of them. */
  total = 0;

  get blocks(): number {
    return this.#heights.length;
  }

  /** Estimates the blocks of `rows` rows, from the one on that has row `from`. */
  estimate(rows: number, from: number, heightOf: (row: number) => number): void {
    const first = Math.floor(Math.min(from, this.#rows) / BLOCK_ROWS);
    for (let n = first; n < this.#heights.length; n++) this.#add(n, -(this.#heights[n] ?? 0));
    this.#heights.length = Math.min(first, this.#heights.length);
    for (let row = first * BLOCK_ROWS; row < rows; row += BLOCK_ROWS) {
      let height = 0;
      const end = Math.min(rows, row + BLOCK_ROWS);
      for (let one = row; one < end; one++) height += heightOf(one);
      this.#heights.push(height);
      this.#add(this.#heights.length - 1, height);
    }
    this.#rows = rows;
  }

  /** Notes what a block really measures; answers how much more that is. */
  measured(block: number, height: number): number {
    const known = this.#heights[block];
    if (known === undefined) return 0;
    this.#heights[block] = height;
    this.#add(block, height - known);
    return height - known;
  }

  heightOf = (block: number): number => this.#heights[block] ?? 0;

  /** Where a block begins. */
  topOf(block: number): number {
    const last = Math.min(block, this.#heights.length);
    const group = Math.floor(last / GROUP);
    let top = 0;
    for (let n = 0; n < group; n++) top += this.#sums[n] ?? 0;
    for (let n = group * GROUP; n < last; n++) top += this.#heights[n] ?? 0;
    return top;
  }

  /** The block at a height, the first or last one when there is none. */
  blockAt(pixels: number): number {
    let [group, bottom] = [0, 0];
    while (group < this.#sums.length - 1 && bottom + (this.#sums[group] ?? 0) <= pixels) {
      bottom += this.#sums[group++] ?? 0;
    }
    for (let n = group * GROUP; n < this.#heights.length; n++) {
      bottom += this.#heights[n] ?? 0;
      if (bottom > pixels) return n;
    }
    return Math.max(0, this.#heights.length - 1);
  }

  #add(block: number, more: number): void {
    const group = Math.floor(block / GROUP);
    this.#sums[group] = (this.#sums[group] ?? 0) + more;
    this.total += more;
  }
}
