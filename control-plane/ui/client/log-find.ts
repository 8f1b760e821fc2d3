import type { Place } from "./found-matches.ts";
import type { LogIndex } from "./log-index.ts";
import { highlight, rangesIn } from "./log-marks.ts";
import type { LogBlock } from "./log-messages.ts";
import { LogSearch } from "./log-search.ts";
import type { LogView } from "./log-view.ts";
import { get, input, isPlainKey } from "./page-parts.ts";

const TYPING_MS = 250;

interface FindOptions {
  /** Address of log-search-worker.ts. */
  searchUrl: string;
  index: LogIndex;
  view: LogView;
  block: (number: number) => Promise<LogBlock | undefined>;
  /** Whether there is a view to go to lines in. */
  isReady: () => boolean;
}

/** Finding in the log: the field, its switches and buttons, and the keys f, n and N. */
export class LogFind {
  /** The match that was gone to. */
  current: Place | undefined;
  readonly #options: FindOptions;
  readonly #search: LogSearch;
  readonly #field = input("find");
  /** Asked for, and not found yet. */
  #wanted: { from: Place; isBackwards: boolean } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isPaintAsked = false;
  #isChanged = false;

  constructor(options: FindOptions) {
    this.#options = options;
    const { searchUrl: url, block, index } = options;
    this.#search = new LogSearch({
      ...{ url, block, next: () => index.next, isLevelShown: index.isLevelShown },
      onChange: () => this.refresh(),
    });
    this.#listen();
  }

  /** More lines have arrived. */
  more(): void {
    void this.#search.more();
  }

  /** Marks a line that was drawn, when it is one that was found. */
  decorate(element: HTMLElement, line: number): void {
    const isFound = this.#search.query !== undefined && this.#search.matchesIn(line).length > 0;
    element.classList.toggle("found", isFound);
    element.classList.toggle("current", isFound && line === this.current?.line);
    if (isFound) this.#askPaint();
  }

  /** Shows with the next frame what there is to show. */
  refresh(): void {
    this.#isChanged = true;
    this.#askPaint();
  }

  /** To count takes long where there are millions: lines that are only drawn have no part in it. */
  #askPaint(): void {
    if (this.#isPaintAsked) return;
    this.#isPaintAsked = true;
    requestAnimationFrame(() => {
      if (this.#isChanged) {
        this.#goToWanted();
        this.#showCount();
        this.#options.view.refresh();
      }
      this.#highlight();
      this.#isChanged = this.#isPaintAsked = false;
    });
  }

  #listen(): void {
    const field = this.#field;
    field.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#begin(), TYPING_MS);
    });
    for (const id of ["find-regex", "find-case"]) {
      input(id).addEventListener("change", () => this.#begin());
    }
    get("find-next").addEventListener("click", () => this.#step(false));
    get("find-previous").addEventListener("click", () => this.#step(true));
    get("log-find").addEventListener("submit", (event) => event.preventDefault());
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#step(event.shiftKey);
      if (event.key !== "Escape") return;
      field.value = "";
      this.#begin();
      get("log").focus({ preventScroll: true });
    });
    document.addEventListener("keydown", (event) => {
      if (!isPlainKey(event)) return;
      if (event.key === "n" || event.key === "N") this.#step(event.key === "N");
      if (event.key !== "f") return;
      event.preventDefault();
      field.focus();
      field.select();
    });
  }

  #begin(): void {
    clearTimeout(this.#timer);
    this.current = this.#wanted = undefined;
    const [isRegex, isCased] = [input("find-regex").checked, input("find-case").checked];
    this.#search.begin({ text: this.#field.value, isRegex, isCased });
    this.#options.view.refresh();
  }

  #step(isBackwards: boolean): void {
    const { view, isReady } = this.#options;
    if (this.#field.value === "" || !isReady()) return;
    const { query, problem } = this.#search;
    if (problem || query?.text !== this.#field.value) this.#begin();
    const from = this.current ?? { line: view.topLine().line, start: isBackwards ? 0 : -1 };
    this.#wanted = { from, isBackwards };
    this.#goToWanted();
  }

  #goToWanted(): void {
    if (!this.#wanted || this.#search.problem) return;
    const { view } = this.#options;
    const { from, isBackwards } = this.#wanted;
    const found = this.#search.next(from, isBackwards);
    const { isAll, searched } = this.#search;
    if (isAll) this.#wanted = undefined;
    // Round the end only when there is nothing before it.
    const isFirst = isBackwards
      ? searched > from.line && found !== undefined && isBefore(found, from)
      : found !== undefined && isBefore(from, found);
    if (found === undefined || (!isAll && !isFirst)) return;
    this.#wanted = undefined;
    this.current = found;
    view.goTo(found.line);
    view.refresh();
    this.refresh();
  }

  #highlight(): void {
    const ranges: Range[] = [];
    let current: Range | undefined;
    const found = "#lines .log-block:not(.stale) .found";
    for (const element of this.#search.query ? document.querySelectorAll(found) : []) {
      const rangeOf = rangesIn(element);
      for (const match of this.#search.matchesIn(Number(element.id.slice(1)) - 1)) {
        const range = rangeOf(match);
        if (!range) continue;
        if (this.current && samePlace(match, this.current)) current = range;
        else ranges.push(range);
      }
    }
    highlight(ranges, current);
  }

  #showCount(): void {
    const { query, problem, searched, isFull, isAll } = this.#search;
    const { next } = this.#options.index;
    const { shown, hidden, place } = this.#search.counts(this.current);
    const texts = [
      `${place > 0 ? `${number(place)} of ` : ""}${number(shown)}${isFull ? "+" : ""} ${shown === 1 ? "match" : "matches"}`,
      ...(hidden > 0 ? [`${number(hidden)} in hidden levels`] : []),
      ...(isAll ? [] : [`${Math.floor((100 * searched) / next)} %`]),
    ];
    const count = get("find-count");
    count.classList.toggle("trouble", problem !== undefined);
    count.textContent = problem ?? (query ? texts.join(", ") : "");
    for (const id of ["find-next", "find-previous"]) {
      (get(id) as HTMLButtonElement).disabled = shown === 0;
    }
  }
}

const isBefore = (a: Place, b: Place): boolean =>
  a.line < b.line || (a.line === b.line && a.start < b.start);
const samePlace = (a: Place, b: Place): boolean => a.line === b.line && a.start === b.start;

const number = (count: number): string => count.toLocaleString("en");
