/** The highest that the scrolled element is made: browsers end at 17.9 (Firefox) or 33.5 million pixels (Chromium). */
const MOST_PIXELS = 10_000_000;
/** At either end of the element this much is the log's own pixels one by one, whatever is in between. */
const EDGE_PIXELS = 1_000_000;

/**
 * Where in the log one is, in pixels of the whole log, which may be higher than an element can be. Then the element is lower, and
 * its scroll bar is scaled; wheel, touch and keys still move by pixels. With the element as high as the log both are the same.
 */
export class LogScroll {
  /** Pixel of the log at the frame's upper edge. */
  top: number;
  readonly #frame: HTMLElement;
  readonly #content: HTMLElement;
  /** Where the frame is scrolled to, as far as we know: everything else is the reader's doing. */
  #seen: number;
  #total = -1;

  constructor(frame: HTMLElement, content: HTMLElement) {
    [this.#frame, this.#content] = [frame, content];
    this.top = this.#seen = frame.scrollTop;
  }

  /** Pixel of the log at which the element begins. */
  get shift(): number {
    return this.top - this.#seen;
  }

  /** Says how high the log is. */
  resize(total: number): void {
    if (total === this.#total) return;
    this.#total = total;
    this.#content.style.height = `${this.#height}px`;
    if (this.#isScaled || this.shift !== 0) this.to(this.top);
  }

  /** Scrolls to a pixel of the log, or as near as there is one. */
  to(top: number): void {
    const kept = top - this.shift;
    const wanted = this.#isOff(top, kept) ? this.#seenOf(top) : kept;
    // What the browser scrolls smoothly at the moment ends with a new place, also with the same.
    if (wanted !== this.#frame.scrollTop) this.#frame.scrollTop = wanted;
    this.#seen = this.#frame.scrollTop;
    this.top = this.#seen + top - wanted;
  }

  /** Takes in where the reader has scrolled to; false when it was not the reader. */
  read(): boolean {
    const { scrollTop, clientHeight } = this.#frame;
    const moved = scrollTop - this.#seen;
    if (Math.abs(moved) < 1) return false;
    // By the scroll bar, of which a pixel is worth twice that, or to an end: a part of the whole. Wheels and keys move less at once.
    const isJump = this.#isScaled && Math.abs(moved) > this.#height / clientHeight / 2;
    this.top = isJump ? this.#topOf(scrollTop) : this.top + moved;
    this.#seen = scrollTop;
    if (this.#isOff(this.top, scrollTop)) this.to(this.top);
    return true;
  }

  get #height(): number {
    return Math.min(this.#total, MOST_PIXELS);
  }

  get #isScaled(): boolean {
    return this.#total > MOST_PIXELS;
  }

  /** Whether the element's end would be reached before the log's, or the scroll bar tell something else than the place. */
  #isOff(top: number, seen: number): boolean {
    if (!this.#isScaled) return top !== seen;
    const room = Math.min(top, this.#total - top - this.#frame.clientHeight);
    const slack = Math.max(0, Math.min(EDGE_PIXELS, room) / 2);
    return Math.abs(seen - this.#seenOf(top)) > slack + 0.5;
  }

  /** Log's pixels to one of the element's, between the edges. */
  get #scale(): number {
    return (this.#total - 2 * EDGE_PIXELS) / (this.#height - 2 * EDGE_PIXELS);
  }

  #topOf(seen: number): number {
    if (!this.#isScaled || seen < EDGE_PIXELS) return seen;
    const more = this.#total - this.#height;
    if (seen > this.#height - EDGE_PIXELS) return seen + more;
    return EDGE_PIXELS + (seen - EDGE_PIXELS) * this.#scale;
  }

  #seenOf(top: number): number {
    if (!this.#isScaled || top < EDGE_PIXELS) return top;
    const more = this.#total - this.#height;
    if (top > this.#total - EDGE_PIXELS) return top - more;
    return EDGE_PIXELS + (top - EDGE_PIXELS) / this.#scale;
  }
}
