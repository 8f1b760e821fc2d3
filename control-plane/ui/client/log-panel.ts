import type { LogLevel } from "#protocol/log-record.ts";
import { LEVEL_NAMES } from "#protocol/log-text.ts";
import { mountFind, type LogFind } from "./log-find.ts";
import { LogIndex } from "./log-index.ts";
import { openLog } from "./log-link.ts";
import { markSection } from "./log-marks.ts";
import type { LogNews } from "./log-messages.ts";
import { LogView } from "./log-view.ts";
import { mountSelection, type LogSelection } from "./log-selection.ts";
import { get, input, showIf } from "./page-parts.ts";

const WRAP_KEY = "pumice.wrap";

export interface JobLog {
  /** 0-based line after the last that the page knows. */
  next(): number;
  isComplete(): boolean;
}

/** Takes over the log that the server has rendered: shows all of it, follows it, and does what the controls say. */
export function mountLog(): JobLog {
  const frame = get("log");
  const { dataset } = frame;
  const index = new LogIndex();
  const total = Number(dataset["total"]);
  const servedNext = Number(dataset["next"]);
  const isFollowed = dataset["complete"] !== "true" && !isStartAsked();
  let trouble: string | undefined;
  let isTaken = false;

  const link = openLog(
    dataset["worker"] ?? "",
    Number(dataset["job"]),
    Number(dataset["attempt"]),
    {
      onNews,
      onTrouble(news) {
        trouble = news;
        showStatus();
      },
    },
  );
  const view = new LogView({
    frame,
    content: get("lines"),
    index,
    records: link.records,
    wholeLine: dataset["text"] ?? "?",
    decorate,
    onMoved: (isAtEnd) => showIf("to-end", isTaken && !isAtEnd),
  });
  const find: LogFind = mountFind({
    searchUrl: dataset["search"] ?? "",
    ...{ index, view, block: link.block, isReady: () => isTaken },
  });
  const selection: LogSelection = mountSelection({
    ...{ frame, view, hasLine: (line) => line < index.next },
    current: () => find.current() ?? view.topLine().line,
  });
  mountTools({ frame, index, view, find, isTaken: () => isTaken });
  get("to-failure").addEventListener("click", () => {
    const line = failureLine();
    if (line !== undefined) selection.goTo({ from: line + 1, to: line + 1 });
  });
  get("to-end").addEventListener("click", () => view.scrollToEnd());
  if (isFollowed && !selection.range()) frame.scrollTop = frame.scrollHeight;
  showStatus();

  function onNews(news: LogNews): void {
    const { rowCount } = index;
    const isRebuilt = isTaken && news.actions !== undefined && index.folded.size > 0;
    if (isRebuilt) view.change(() => index.add(news));
    else index.add(news);
    if (isTaken && !isRebuilt) view.grown(rowCount);
    if (isTaken && news.actions) view.refresh();
    if (!isTaken && isEnough()) takeOver();
    if (isTaken) selection.arrived();
    find.more();
    showCounts(index);
    showStatus();
  }

  /** Whether what the reader is to see first has been read. */
  function isEnough(): boolean {
    const range = selection.range();
    const wanted = range ? range.from : isFollowed ? total : servedNext;
    return index.isComplete || index.next >= Math.min(wanted, Math.max(total, servedNext));
  }

  function takeOver(): void {
    isTaken = true;
    const place = placeOfServed(frame);
    get("lines").replaceChildren();
    frame.classList.add("windowed");
    for (const id of ["older", "newer"]) showIf(id, false);
    view.begin(place);
    if (selection.range()) selection.show();
    else if (isFollowed) view.scrollToEnd();
  }

  function decorate(element: HTMLElement, line: number): void {
    const section = index.sections.get(line);
    if (section) markSection(element, section, index.folded.has(line));
    element.classList.toggle("marked", selection.has(line));
    find.decorate(element, line);
  }

  function failureLine(): number | undefined {
    return dataset["failure"] === undefined ? index.failureLine() : Number(dataset["failure"]);
  }

  function showStatus(): void {
    const known = Math.max(index.next, total);
    const lines = `${known.toLocaleString("en")} ${known === 1 ? "line" : "lines"}`;
    const part = Math.floor((100 * index.next) / Math.max(1, known));
    const state = index.isComplete ? "" : index.next < total ? `, ${part} % read` : ", live";
    const status = get("log-status");
    status.textContent = trouble ?? lines + state;
    status.classList.toggle("trouble", trouble !== undefined);
    showIf("to-failure", failureLine() !== undefined);
  }

  return { next: () => index.next, isComplete: () => index.isComplete };
}

interface Tools {
  frame: HTMLElement;
  index: LogIndex;
  view: LogView;
  find: LogFind;
  isTaken: () => boolean;
}

/** Levels, folding, wrapping. */
function mountTools({ frame, index, view, find, isTaken }: Tools): void {
  /** Before the log is taken over there is nothing to draw again. */
  const change = (run: () => void, line?: number): void => {
    if (isTaken()) view.change(run, line);
    else run();
  };
  for (const id of ["log-find", "log-tools"]) showIf(id, true);
  const boxes = [...get("levels").querySelectorAll<HTMLInputElement>("input")];
  const showLevels = (): void => {
    const shown = boxes.filter(({ checked }) => checked).map(({ value }) => value as LogLevel);
    change(() => index.showLevels(shown));
    get("levels-shown").textContent =
      shown.length === boxes.length ? "all" : `${shown.length} of ${boxes.length}`;
    find.refresh();
  };
  get("levels").addEventListener("change", showLevels);
  showLevels();
  closeOutside(get("levels") as HTMLDetailsElement);

  get("fold-all").addEventListener("click", () => change(() => index.foldAll(true)));
  get("unfold-all").addEventListener("click", () => change(() => index.foldAll(false)));
  frame.addEventListener("click", ({ target }) => {
    const button = (target as Element).closest(".fold");
    const line = Number(button?.closest(".line")?.id.slice(1)) - 1;
    if (button && line >= 0) {
      view.isPinned = false;
      change(() => index.fold(line, !index.folded.has(line)), line);
      view.focus(line, ".fold");
    }
  });

  const wrap = get("wrap");
  const setWrap = (isOn: boolean): void =>
    change(() => {
      frame.classList.toggle("unwrapped", !isOn);
      wrap.setAttribute("aria-pressed", String(isOn));
      view.measureText();
    });
  setWrap(remembered() !== "off");
  wrap.addEventListener("click", () => {
    const isOn = wrap.getAttribute("aria-pressed") !== "true";
    setWrap(isOn);
    remember(isOn ? "on" : "off");
  });
}

/** How many lines each level has, beside its name. */
function showCounts({ counts }: LogIndex): void {
  for (const [n, level] of LEVEL_NAMES.entries()) {
    const count = input(`show-${level}`).parentElement?.querySelector(".count");
    if (count) count.textContent = counts[n] ? counts[n].toLocaleString("en") : "";
  }
}

/** A menu that is open closes when one goes elsewhere. */
function closeOutside(menu: HTMLDetailsElement): void {
  document.addEventListener("click", ({ target }) => {
    if (!menu.contains(target as Node)) menu.open = false;
  });
  menu.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
}

/** The first line in sight of those that the server has rendered. */
function placeOfServed(frame: HTMLElement): { line: number; offset: number } | undefined {
  const { top } = frame.getBoundingClientRect();
  for (const element of frame.querySelectorAll(".line")) {
    const box = element.getBoundingClientRect();
    if (box.bottom > top && box.height > 0) {
      return { line: Number(element.id.slice(1)) - 1, offset: box.top - top };
    }
  }
  return undefined;
}

const isStartAsked = (): boolean => new URLSearchParams(location.search).has("start");

// Where a browser keeps nothing for us, each page begins as the first did.
function remembered(): string | null {
  try {
    return localStorage.getItem(WRAP_KEY);
  } catch {
    return null;
  }
}

function remember(value: string): void {
  try {
    localStorage.setItem(WRAP_KEY, value);
  } catch {
    // See above.
  }
}
