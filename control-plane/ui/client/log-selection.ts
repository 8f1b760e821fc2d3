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

/** The lines that the page's address names. */
export interface LogSelection {
  range(): LineRange | undefined;
  /** Whether a 0-based line is one of them. */
  has(line: number): boolean;
  /** Names lines, and brings them into view. */
  goTo(range: LineRange): void;
  /** Brings the lines into view. */
  show(): void;
  /** There are more lines: perhaps those that were awaited. */
  arrived(): void;
}

/** Line numbers, links to lines and the key `l` name lines in the page's address; with Shift, all from the one that was named before. */
export function mountSelection({ frame, view, hasLine, current }: SelectionOptions): LogSelection {
  let range = rangeOf(location.hash);
  let isAwaited = false;

  const select = (chosen: LineRange | undefined): void => {
    range = chosen;
    view.refresh();
    showRange();
  };
  function name(line: number, isRange: boolean): void {
    const first = isRange && range ? range.from : line;
    const chosen = { from: Math.min(first, line), to: Math.max(first, line) };
    history.replaceState(undefined, "", addressOf(chosen));
    select(chosen);
  }
  const goTo = (chosen: LineRange): void => {
    history.replaceState(undefined, "", addressOf(chosen));
    select(chosen);
    show();
  };
  function show(): void {
    if (!range) return;
    isAwaited = !hasLine(range.from - 1);
    if (!isAwaited) view.goTo(range.from - 1);
  }
  function showRange(): void {
    showIf("selection", range !== undefined);
    if (!range) return;
    const { from, to } = range;
    get("selected").textContent = from === to ? `Line ${from}` : `Lines ${from}–${to}`;
    get("copy-link").textContent = "Copy link";
  }

  frame.addEventListener("click", (event) => {
    const link = (event.target as Element).closest<HTMLAnchorElement>('.line > a[href^="#L"]');
    const clicked = link && rangeOf(link.hash);
    if (!clicked || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    name(clicked.from, event.shiftKey);
  });
  document.addEventListener("keydown", (event) => {
    if (!isPlainKey(event) || event.key.toLowerCase() !== "l") return;
    if (hasLine(current())) name(current() + 1, event.shiftKey);
  });
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const link = (event.target as Element).closest<HTMLAnchorElement>('a[href*="#L"]');
    const linked = link && isOfThisLog(link) ? rangeOf(link.hash) : undefined;
    if (!linked || !hasLine(linked.from - 1)) return;
    event.preventDefault();
    goTo(linked);
  });
  addEventListener("hashchange", () => {
    select(rangeOf(location.hash));
    show();
  });
  get("copy-link").addEventListener("click", () => void copyLink());
  // Only where a page may write to the clipboard; else the address is in the browser's own field.
  showIf("copy-link", "clipboard" in navigator);
  showRange();

  return {
    ...{ goTo, show, range: () => range },
    has: (line) => range !== undefined && line + 1 >= range.from && line + 1 <= range.to,
    arrived() {
      if (isAwaited) show();
    },
  };
}

async function copyLink(): Promise<void> {
  await navigator.clipboard.writeText(location.href);
  get("copy-link").textContent = "Copied";
}

/** The page's address with the lines; where its rendered lines begin is not told with it. */
function addressOf(range: LineRange): string {
  const query = new URLSearchParams(location.search);
  query.delete("start");
  const text = query.toString();
  return `${location.pathname}${text === "" ? "" : `?${text}`}${hashOf(range)}`;
}

const isOfThisLog = ({ href }: HTMLAnchorElement): boolean => {
  const { origin, pathname, searchParams } = new URL(href);
  const here = new URL(location.href);
  return (
    origin === here.origin &&
    pathname === here.pathname &&
    searchParams.get("attempt") === here.searchParams.get("attempt")
  );
};
