/** Rows that are drawn, and measured, together. */
export const BLOCK_ROWS = 50;

/** How high each block of rows is: as far as it was not drawn yet, an estimate. Pixels. */
export class LogHeights {
  #heights: number[] = [];
  #rows = 0;
  /** All of them. */
  total = 0;

  get blocks(): number {
    return this.#heights.length;
  }

  /** Estimates the blocks of `rows` rows, from the one on that has row `from`. */
  estimate(rows: number, from: number, heightOf: (row: number) => number): void {
    const first = Math.floor(Math.min(from, this.#rows) / BLOCK_ROWS);
    for (const height of this.#heights.splice(first)) this.total -= height;
    for (let row = first * BLOCK_ROWS; row < rows; row += BLOCK_ROWS) {
      let height = 0;
      const end = Math.min(rows, row + BLOCK_ROWS);
      for (let one = row; one < end; one++) height += heightOf(one);
      this.#heights.push(height);
      this.total += height;
    }
    this.#rows = rows;
  }

  /** Notes what a block really measures; answers how much more that is. */
  measured(block: number, height: number): number {
    const more = height - (this.#heights[block] ?? height);
    if (block < this.#heights.length) this.#heights[block] = height;
    this.total += more;
    return more;
  }

  heightOf = (block: number): number => this.#heights[block] ?? 0;

  /** Where a block begins. */
  topOf(block: number): number {
    let top = 0;
    for (let n = 0; n < block && n < this.#heights.length; n++) top += this.#heights[n] ?? 0;
    return top;
  }

  /** The block at a height, the first or last one when there is none. */
  blockAt(pixels: number): number {
    let bottom = 0;
    for (const [n, height] of this.#heights.entries()) {
      bottom += height;
      if (bottom > pixels) return n;
    }
    return Math.max(0, this.#heights.length - 1);
  }
}
