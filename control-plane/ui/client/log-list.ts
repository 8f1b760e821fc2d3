import { BLOCK_LINES, lineHtml, logHtml, type LogRecords } from "../log-html.ts";

/** Lines that the page keeps; beyond them the oldest go while the reader is at the end. */
const KEPT_LINES = 20_000;
/** Lines added in one frame, so that a long log does not freeze the page. */
const FRAME_LINES = 1000;
/** So near to the end counts as at the end. */
const END_PIXELS = 40;

/** The lines of the log that the page has, without a gap. */
export class LogList {
  /** 0-based line of the first that is shown. */
  first: number;
  /** Line after the last. */
  next: number;
  /** Whether new lines scroll into view: true as long as the reader stays at the end. */
  isPinned: boolean;
  readonly #frame: HTMLElement;
  readonly #lines: HTMLElement;
  #onScroll: (() => void) | undefined;

  constructor(frame: HTMLElement, lines: HTMLElement) {
    this.#frame = frame;
    this.#lines = lines;
    this.first = Number(frame.dataset["first"]);
    this.next = Number(frame.dataset["next"]);
    this.isPinned = false;
    frame.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Blocks get their true height only when they come into view.
    new ResizeObserver(() => this.#keepPinned()).observe(lines);
    new ResizeObserver(() => this.#keepPinned()).observe(frame);
  }

  /** Adds what follows `next`. */
  async append(records: LogRecords): Promise<void> {
    for (let from = 0; from < records.length; from += FRAME_LINES) {
      const some = records.slice(from, from + FRAME_LINES);
      this.#add(some);
      this.#keepPinned();
      if (this.isPinned) this.#trim();
      if (from + FRAME_LINES < records.length) await nextFrame();
    }
  }

  /** Fills the last block before it begins another. */
  #add(records: LogRecords): void {
    const block = this.#lines.lastElementChild;
    const room = block ? Math.max(0, BLOCK_LINES - block.childElementCount) : 0;
    const first = records.slice(0, room).map((record, n) => lineHtml(record, this.next + n));
    block?.insertAdjacentHTML("beforeend", first.join(""));
    this.#lines.insertAdjacentHTML("beforeend", logHtml(records.slice(room), this.next + room));
    this.next += records.length;
  }

  /** Adds what comes before `first`, and leaves what the reader sees where it is. */
  prepend(records: LogRecords): void {
    const fromEnd = this.#frame.scrollHeight - this.#frame.scrollTop;
    this.first -= records.length;
    this.#lines.insertAdjacentHTML("afterbegin", logHtml(records, this.first));
    this.#frame.scrollTop = this.#frame.scrollHeight - fromEnd;
  }

  /** Whether as many lines are shown as should be, and the reader is not at the end of them. */
  isFull(): boolean {
    return !this.isPinned && this.next - this.first >= KEPT_LINES;
  }

  /** Resolves when the reader comes to the end. */
  whenPinned(): Promise<void> {
    return new Promise((resolve) => {
      this.#onScroll = () => {
        if (this.isPinned) resolve();
      };
    });
  }

  scrollToEnd(): void {
    this.isPinned = true;
    this.#frame.dispatchEvent(new Event("pin"));
    this.#keepPinned();
    this.#onScroll?.();
  }

  /** Brings a line into view and marks it; false when the page doesn't have it. */
  show(number: number): boolean {
    const line = document.querySelector(`#L${number}`);
    if (!line) return false;
    for (const marked of this.#lines.querySelectorAll(".marked")) marked.classList.remove("marked");
    line.classList.add("marked");
    this.isPinned = false;
    line.scrollIntoView({ block: "center" });
    return true;
  }

  isAtEnd(): boolean {
    const { scrollHeight, scrollTop, clientHeight } = this.#frame;
    return scrollHeight - scrollTop - clientHeight < END_PIXELS;
  }

  #scrolled(): void {
    if (this.isAtEnd() === this.isPinned) return;
    this.isPinned = this.isAtEnd();
    this.#frame.dispatchEvent(new Event("pin"));
    this.#onScroll?.();
  }

  #keepPinned(): void {
    if (this.isPinned) this.#frame.scrollTop = this.#frame.scrollHeight;
  }

  #trim(): void {
    for (;;) {
      const block = this.#lines.firstElementChild;
      const count = block?.childElementCount ?? 0;
      if (!block || this.next - this.first - count < KEPT_LINES) return;
      block.remove();
      this.first += count;
      this.#frame.dispatchEvent(new Event("trim"));
    }
  }
}

const nextFrame = (): Promise<void> =>
  new Promise((resolve) => {
    // A hidden page gets no frames.
    const timer = setTimeout(resolve, 100);
    requestAnimationFrame(() => {
      clearTimeout(timer);
      resolve();
    });
  });
