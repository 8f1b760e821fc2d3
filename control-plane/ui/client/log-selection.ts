import { hashOf, rangeOf, type LineRange } from "./line-range.ts";
import type { LogView } from "./log-view.ts";
import { get, isPlainKey, showIf } from "./page-parts.ts";

interface SelectionOptions {
  frame: HTMLElement;
  view: LogView;
  /** Whether the 0-based line has been read. */
  hasLine: (line: number) => boolean;
  /** The 0-based line that the reader is at. */
  current: () => number;
}

/**
 * The lines that the page's address names. Line numbers, links to lines and the key `l` name them; with Shift, all from the one
 * that was named before.
 */
export class LogSelection {
  /** Lines count from 1. */
  range: LineRange | undefined = rangeOf(location.hash);
  readonly #options: SelectionOptions;
  #isAwaited = false;

  constructor(options: SelectionOptions) {
    this.#options = options;
    options.frame.addEventListener("click", (event) => this.#clickedNumber(event));
    document.addEventListener("click", (event) => this.#clickedLink(event));
    document.addEventListener("keydown", (event) => {
      if (event.key.toLowerCase() !== "l" || !isPlainKey(event)) return;
      const line = options.current();
      if (options.hasLine(line)) this.#name(line + 1, event.shiftKey);
    });
    addEventListener("hashchange", () => {
      this.#select(rangeOf(location.hash));
      this.show();
    });
    get("copy-link").addEventListener("click", () => void copyLink());
    // Only where a page may write to the clipboard; else the address is in the browser's own field.
    showIf("copy-link", "clipboard" in navigator);
    this.#showRange();
  }

  /** Whether a 0-based line is one of them. */
  has(line: number): boolean {
    return this.range !== undefined && line + 1 >= this.range.from && line + 1 <= this.range.to;
  }

  /** Names lines, and brings them into view. */
  goTo(range: LineRange): void {
    history.replaceState(undefined, "", addressOf(range));
    this.#select(range);
    this.show();
  }

  /** Brings the lines into view, now or when they are there. */
  show(): void {
    if (!this.range) return;
    this.#isAwaited = !this.#options.hasLine(this.range.from - 1);
    if (!this.#isAwaited) this.#options.view.goTo(this.range.from - 1);
  }

  /** There are more lines: perhaps those that were awaited. */
  arrived(): void {
    if (this.#isAwaited) this.show();
  }

  #clickedNumber(event: MouseEvent): void {
    const link = (event.target as Element).closest<HTMLAnchorElement>('.line > a[href^="#L"]');
    const clicked = link && rangeOf(link.hash);
    if (!clicked || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#name(clicked.from, event.shiftKey);
  }

  #clickedLink(event: MouseEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = (event.target as Element).closest<HTMLAnchorElement>('a[href*="#L"]');
    const linked = link && isOfThisLog(link) ? rangeOf(link.hash) : undefined;
    if (!linked || !this.#options.hasLine(linked.from - 1)) return;
    event.preventDefault();
    this.goTo(linked);
  }

  #name(line: number, isRange: boolean): void {
    const first = isRange && this.range ? this.range.from : line;
    const chosen = { from: Math.min(first, line), to: Math.max(first, line) };
    history.replaceState(undefined, "", addressOf(chosen));
    this.#select(chosen);
  }

  #select(chosen: LineRange | undefined): void {
    this.range = chosen;
    this.#options.view.refresh();
    this.#showRange();
  }

  #showRange(): void {
    showIf("selection", this.range !== undefined);
    if (!this.range) return;
    const { from, to } = this.range;
    get("selected").textContent = from === to ? `Line ${from}` : `Lines ${from}–${to}`;
    get("copy-link").textContent = "Copy link";
  }
}

async function copyLink(): Promise<void> {
  const isCopied = await navigator.clipboard.writeText(location.href).then(
    () => true,
    () => false,
  );
  get("copy-link").textContent = isCopied ? "Copied" : "Not allowed: copy the page’s address";
}

/** The page's address with the lines; where its rendered lines begin is not told with it. */
function addressOf(range: LineRange): string {
  const query = new URLSearchParams(location.search);
  query.delete("start");
  const text = query.toString();
  return `${location.pathname}${text === "" ? "" : `?${text}`}${hashOf(range)}`;
}

function isOfThisLog({ href }: HTMLAnchorElement): boolean {
  const { origin, pathname, searchParams } = new URL(href);
  const here = new URL(location.href);
  return (
    origin === here.origin &&
    pathname === here.pathname &&
    searchParams.get("attempt") === here.searchParams.get("attempt")
  );
}
