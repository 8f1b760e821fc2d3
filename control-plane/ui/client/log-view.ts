import { lineHtml, type LogRecords } from "../log-html.ts";
import { BLOCK_ROWS, LogHeights } from "./log-heights.ts";
import type { LogIndex } from "./log-index.ts";
import { LogScroll } from "./log-scroll.ts";

/** Drawn beyond what is in sight, above and below. */
const MARGIN_PIXELS = 800;
/** So near to the end counts as at the end. */
const END_PIXELS = 40;
const RETRY_MS = 1000;

export interface LogViewOptions {
  /** What scrolls. */
  frame: HTMLElement;
  /** What is in it, as high as the whole log, or as high as can be. */
  content: HTMLElement;
  index: LogIndex;
  /** The records of these lines; undefined when they can't be had now. */
  records: (lines: Uint32Array) => Promise<LogRecords | undefined>;
  /** Address of the log as text, for lines that are too long to be shown. */
  wholeLine: string;
  /** Called for each line that is drawn. */
  decorate(element: HTMLElement, line: number): void;
  /** Called when another part of the log has come into view. */
  onMoved(isAtEnd: boolean): void;
}

interface Block {
  element: HTMLElement;
  /** Rows that are drawn. */
  count: number;
  isBusy: boolean;
}

/** A line and how far below the frame's upper edge it is; it stays there whatever is drawn, until the reader scrolls. */
interface Anchor {
  line: number;
  offset: number;
}

/** Shows the rows of the log that are in sight, of however many. */
export class LogView {
  /** Whether new lines scroll into view: true as long as the reader stays at the end. */
  isPinned = false;
  readonly #options: LogViewOptions;
  readonly #heights = new LogHeights();
  readonly #scroll: LogScroll;
  readonly #blocks = new Map<number, Block>();
  /** Of rows that have changed: they go when new ones are there. */
  #stale: HTMLElement[] = [];
  #epoch = 0;
  #anchor: Anchor | undefined;
  /** What gets the focus when its line is drawn. */
  #focus: { line: number; selector: string } | undefined;
  #isDrawAsked = false;
  #linePixels = 18;
  #columns = 80;
  #width = 0;

  constructor(options: LogViewOptions) {
    this.#options = options;
    this.#scroll = new LogScroll(options.frame, options.content);
  }

  /**
   * Draws the index as it is now, in place of the lines that the server has rendered: they stay until others are drawn, and the first
   * of them that is in sight stays where it is.
   */
  begin(): void {
    const { frame, content } = this.#options;
    const served = [...content.querySelectorAll<HTMLElement>(".line")].filter(isShown);
    const { top } = frame.getBoundingClientRect();
    const first = served.find((line) => line.getBoundingClientRect().bottom > top);
    const firstTop = first?.getBoundingClientRect().top ?? top;
    for (const link of frame.querySelectorAll<HTMLElement>("a.more")) link.hidden = true;
    const old = document.createElement("div");
    old.className = "log-block";
    old.append(...served);
    content.replaceChildren(old);
    frame.classList.add("windowed");
    this.measureText();
    const offset = firstTop - content.getBoundingClientRect().top - frame.scrollTop;
    this.#stale = [old];
    this.#scroll.read();
    this.#reset(first && { line: lineOf(first), offset });
    old.style.top = `${frame.scrollTop + offset - (first?.offsetTop ?? 0)}px`;
    frame.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(frame);
  }

  /** Rows were added. */
  grown(fromRow: number): void {
    const { rowCount } = this.#options.index;
    // What the last block measures stays known when nothing comes to it.
    if (rowCount > fromRow) this.#heights.estimate(rowCount, fromRow, this.#estimate);
    this.#askToDraw();
  }

  /** Runs what changes rows or their look; the line that is at the top, or the one given, stays where it is. */
  change(run: () => void, line?: number): void {
    const anchor = line === undefined ? this.topLine() : this.#placeOf(line);
    run();
    this.#reset(anchor);
  }

  /** Brings a line into view: into the middle, or so far below the upper edge. */
  goTo(line: number, offset = (this.#options.frame.clientHeight - this.#linePixels) / 2): void {
    this.isPinned = false;
    if (this.#options.index.reveal(line)) this.#reset({ line, offset });
    this.#anchor = { line, offset };
    this.#keepPlace();
    this.#askToDraw();
  }

  scrollToEnd(): void {
    this.isPinned = true;
    this.#anchor = undefined;
    this.#keepPlace();
    this.#askToDraw();
  }

  /** The first line in sight. */
  topLine(): Anchor {
    const { top } = this.#scroll;
    const number = this.#heights.blockAt(top);
    const blockTop = this.#heights.topOf(number);
    for (const child of this.#blocks.get(number)?.element.children ?? []) {
      const { offsetTop, offsetHeight } = child as HTMLElement;
      const offset = blockTop + offsetTop - top;
      if (offset + offsetHeight > 0) return { line: lineOf(child), offset };
    }
    const [line = 0] = this.#options.index.lines(number * BLOCK_ROWS, number * BLOCK_ROWS + 1);
    return { line, offset: blockTop - top };
  }

  /** Focuses a part of a line, as soon as it is drawn. */
  focus(line: number, selector: string): void {
    this.#focus = { line, selector };
  }

  /** Decorates the lines that are drawn once more. */
  refresh(): void {
    for (const { element } of this.#blocks.values()) this.#decorate(element, 0);
  }

  #reset(anchor: Anchor | undefined): void {
    this.#epoch += 1;
    for (const { element } of this.#blocks.values()) {
      element.classList.add("stale");
      this.#stale.push(element);
    }
    this.#blocks.clear();
    this.#heights.estimate(this.#options.index.rowCount, 0, this.#estimate);
    this.#anchor = this.isPinned ? undefined : anchor;
    this.#draw();
  }

  /** Pixels below what is in sight. */
  get #toEnd(): number {
    return this.#heights.total - this.#scroll.top - this.#options.frame.clientHeight;
  }

  get #isAtEnd(): boolean {
    return this.#toEnd < END_PIXELS;
  }

  #scrolled(): void {
    const before = this.#scroll.top;
    if (this.#scroll.read()) {
      this.#anchor = undefined;
      // A frame that has become higher moves up, too, and is at the very end still.
      const isDown = this.#scroll.top > before;
      this.isPinned = isDown ? this.#isAtEnd : this.isPinned && this.#toEnd < 2;
    }
    this.#askToDraw();
  }

  #resized(): void {
    const { clientWidth } = this.#options.frame;
    if (clientWidth !== this.#width && this.#width > 0) this.change(() => this.measureText());
    else this.#askToDraw();
  }

  #askToDraw(): void {
    if (this.#isDrawAsked) return;
    this.#isDrawAsked = true;
    requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#isDrawAsked = false;
    this.#keepPlace();
    const { top } = this.#scroll;
    const bottom = top + this.#options.frame.clientHeight;
    const from = this.#heights.blockAt(top - MARGIN_PIXELS);
    const to = this.#heights.blockAt(bottom + MARGIN_PIXELS);
    for (const [number, { element }] of this.#blocks) {
      if (number >= from && number <= to) continue;
      element.remove();
      this.#blocks.delete(number);
    }
    for (let n = from; n <= to && n < this.#heights.blocks; n++) void this.#fill(n, this.#block(n));
    this.#position();
    this.#removeStale();
    this.#options.onMoved(this.#isAtEnd);
  }

  #block(number: number): Block {
    const known = this.#blocks.get(number);
    if (known) return known;
    const element = document.createElement("div");
    element.className = "log-block";
    const after = [...this.#blocks.keys()].filter((other) => other > number);
    const next = this.#blocks.get(Math.min(...after));
    this.#options.content.insertBefore(element, next?.element ?? null);
    const block = { element, count: 0, isBusy: false };
    this.#blocks.set(number, block);
    return block;
  }

  /** Draws what is missing of a block. */
  async #fill(number: number, block: Block): Promise<void> {
    if (block.isBusy) return;
    const { index, records, wholeLine } = this.#options;
    const epoch = this.#epoch;
    const end = (number + 1) * BLOCK_ROWS;
    const isWanted = () => epoch === this.#epoch && this.#blocks.get(number) === block;
    block.isBusy = true;
    while (isWanted() && block.count < Math.min(end, index.rowCount) - number * BLOCK_ROWS) {
      const lines = index.lines(number * BLOCK_ROWS + block.count, end);
      const found = await records(lines);
      if (!isWanted()) break;
      if (!found) {
        setTimeout(() => this.#askToDraw(), RETRY_MS);
        break;
      }
      for (const line of lines.subarray(0, found.length)) giveUpName(line);
      const html = found.map((record, n) => lineHtml(record, lines[n] ?? 0, wholeLine)).join("");
      block.element.insertAdjacentHTML("beforeend", html);
      this.#decorate(block.element, block.count);
      block.count += found.length;
      this.#removeStale();
      this.#measure(number, block.element);
    }
    block.isBusy = false;
  }

  /** As soon as something new stands everywhere. */
  #removeStale(): void {
    if ([...this.#blocks.values()].some(({ count }) => count === 0)) return;
    for (const element of this.#stale.splice(0)) element.remove();
  }

  #decorate(block: Element, from: number): void {
    for (let n = from; n < block.children.length; n++) {
      const element = block.children[n] as HTMLElement;
      const line = lineOf(element);
      this.#options.decorate(element, line);
      if (this.#focus?.line !== line) continue;
      element.querySelector<HTMLElement>(this.#focus.selector)?.focus({ preventScroll: true });
      this.#focus = undefined;
    }
  }

  #measure(number: number, element: HTMLElement): void {
    const bottom = this.#heights.topOf(number) + this.#heights.heightOf(number);
    const more = this.#heights.measured(number, element.offsetHeight);
    if (more !== 0) {
      const isAbove = bottom <= this.#scroll.top && !this.#anchor;
      this.#scroll.resize(this.#heights.total);
      if (isAbove) this.#scroll.to(this.#scroll.top + more);
      this.#askToDraw();
    }
    this.#keepPlace();
  }

  /** Puts the blocks where they belong. */
  #position(): void {
    const { shift } = this.#scroll;
    for (const [number, { element }] of this.#blocks) {
      element.style.top = `${this.#heights.topOf(number) - shift}px`;
    }
  }

  #keepPlace(): void {
    const { total } = this.#heights;
    this.#scroll.resize(total);
    if (this.isPinned) this.#scroll.to(total);
    else if (this.#anchor) {
      const { offset } = this.#placeOf(this.#anchor.line);
      this.#scroll.to(this.#scroll.top + offset - this.#anchor.offset);
    }
    this.#position();
  }

  #placeOf(line: number): Anchor {
    const { index } = this.#options;
    const row = index.rowOf(line);
    const number = Math.min(Math.floor(row / BLOCK_ROWS), Math.max(0, this.#heights.blocks - 1));
    let top = this.#heights.topOf(number);
    const drawn = this.#blocks.get(number)?.element.children[row - number * BLOCK_ROWS];
    if (drawn) top += (drawn as HTMLElement).offsetTop;
    else for (let n = number * BLOCK_ROWS; n < row; n++) top += this.#estimate(n);
    return { line, offset: top - this.#scroll.top };
  }

  readonly #estimate = (row: number): number =>
    this.#linePixels * Math.max(1, Math.ceil(this.#options.index.lengthOf(row) / this.#columns));

  /** Measures how high a line is, and how many characters it has before it is wrapped. */
  measureText(): void {
    const { frame, content } = this.#options;
    this.#width = frame.clientWidth;
    const probe = document.createElement("div");
    probe.innerHTML = lineHtml({ lvl: "target", msg: "0" }, 0).replace(/ id="L1"/, "");
    content.append(probe);
    const text = probe.querySelector("span");
    this.#linePixels = probe.offsetHeight || 18;
    const room = text
      ? text.clientWidth - Number.parseFloat(getComputedStyle(text).paddingRight)
      : 0;
    if (text) text.innerHTML = `<b>${"0".repeat(10)}</b>`;
    const character = (probe.querySelector("b")?.getBoundingClientRect().width ?? 0) / 100;
    const wraps = text ? getComputedStyle(text).whiteSpace.startsWith("pre-wrap") : false;
    this.#columns = wraps && character > 0 ? Math.max(1, Math.floor(room / character)) : Infinity;
    probe.remove();
  }
}

const isShown = (element: Element): boolean => element.getClientRects().length > 0;
/** The row of a line that is about to be drawn again stays for a moment, below the new one: what links lead to is the new one. */
const giveUpName = (line: number): void =>
  document.getElementById(`L${line + 1}`)?.removeAttribute("id");
const lineOf = (element: Element): number => Number(element.id.slice(1)) - 1;
