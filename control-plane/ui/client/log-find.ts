import type { LogIndex } from "./log-index.ts";
import { highlight, rangeIn } from "./log-marks.ts";
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
  isReady: () => boolean;
}

export interface LogFind {
  /** More lines have arrived. */
  more(): void;
  /** Marks a line that was drawn, when it is one that was found. */
  decorate(element: HTMLElement, line: number): void;
  /** Other levels are shown. */
  refresh(): void;
  /** The 0-based line of the match that was gone to. */
  current(): number | undefined;
}

/** Finding in the log: the field, its switches and buttons, and the keys f, n and N. */
export function mountFind({ searchUrl, index, view, block, isReady }: FindOptions): LogFind {
  const field = input("find");
  /** The line that was gone to. */
  let current: number | undefined;
  /** Asked for, and not found yet. */
  let wanted: { from: number; isBackwards: boolean } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isPaintAsked = false;
  const search = new LogSearch({
    ...{ url: searchUrl, block, next: () => index.next, isLevelShown: index.isLevelShown },
    onChange: askToPaint,
  });

  function begin(): void {
    clearTimeout(timer);
    current = wanted = undefined;
    const [isRegex, isCased] = [input("find-regex").checked, input("find-case").checked];
    search.begin({ text: field.value, isRegex, isCased });
    view.refresh();
  }

  function step(isBackwards: boolean): void {
    if (field.value === "" || !isReady()) return;
    if (search.query?.text !== field.value) begin();
    const from = current ?? view.topLine().line - (isBackwards ? 0 : 1);
    wanted = { from, isBackwards };
    goToWanted();
  }

  function goToWanted(): void {
    if (!wanted || search.problem) return;
    const { from, isBackwards } = wanted;
    const found = search.next(from, isBackwards);
    const isAll = search.searched >= index.next;
    if (isAll) wanted = undefined;
    // Round the end only when there is nothing before it.
    const isFirst = isBackwards ? search.searched > from : found !== undefined && found > from;
    if (found === undefined || (!isAll && !isFirst)) return;
    wanted = undefined;
    current = found;
    view.goTo(found);
    view.refresh();
  }

  function askToPaint(): void {
    if (isPaintAsked) return;
    isPaintAsked = true;
    requestAnimationFrame(() => {
      goToWanted();
      showCount();
      view.refresh();
      const lines = search.query ? document.querySelectorAll("#lines .found") : [];
      highlight([...lines].flatMap((line) => rangeOfMatch(line)));
      isPaintAsked = false;
    });
  }

  function rangeOfMatch(element: Element): Range[] {
    const match = search.matchIn(Number(element.id.slice(1)) - 1);
    const range = match && rangeIn(element, match.start, match.length);
    return range ? [range] : [];
  }

  function showCount(): void {
    const { shown, hidden, place } = search.counts(current);
    const count = get("find-count");
    count.classList.toggle("trouble", search.problem !== undefined);
    const part = Math.floor((100 * search.searched) / Math.max(1, index.next));
    const texts = [
      place > 0 ? `${number(place)} of ${number(shown)}` : number(shown),
      ...(hidden > 0 ? [`${number(hidden)} in hidden levels`] : []),
      ...(search.searched < index.next ? [`${part} %`] : []),
    ];
    count.textContent = search.problem ?? (search.query ? texts.join(", ") : "");
    for (const id of ["find-next", "find-previous"]) {
      (get(id) as HTMLButtonElement).disabled = shown === 0;
    }
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(begin, TYPING_MS);
  });
  for (const id of ["find-regex", "find-case"]) input(id).addEventListener("change", begin);
  get("find-next").addEventListener("click", () => step(false));
  get("find-previous").addEventListener("click", () => step(true));
  get("log-find").addEventListener("submit", (event) => event.preventDefault());
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") step(event.shiftKey);
    if (event.key !== "Escape") return;
    field.value = "";
    begin();
    get("log").focus({ preventScroll: true });
  });
  document.addEventListener("keydown", (event) => {
    if (!isPlainKey(event)) return;
    if (event.key === "n" || event.key === "N") step(event.key === "N");
    if (event.key !== "f") return;
    event.preventDefault();
    field.focus();
    field.select();
  });

  return {
    more: () => void search.more(),
    refresh: askToPaint,
    current: () => current,
    decorate(element, line) {
      const match = search.query && search.matchIn(line);
      element.classList.toggle("found", match !== undefined);
      element.classList.toggle("current", match !== undefined && line === current);
      if (match) askToPaint();
    },
  };
}

const number = (count: number): string => count.toLocaleString("en");
