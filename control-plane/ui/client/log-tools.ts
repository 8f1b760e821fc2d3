import type { LogLevel } from "#protocol/log-record.ts";
import { LEVEL_NAMES } from "#protocol/log-text.ts";
import type { LogIndex } from "./log-index.ts";
import type { LogView } from "./log-view.ts";
import { get, input, showIf } from "./page-parts.ts";

const WRAP_KEY = "pumice.wrap";

interface Tools {
  frame: HTMLElement;
  index: LogIndex;
  view: LogView;
  /** Whether the view shows the log already. */
  isReady: () => boolean;
  onLevels: () => void;
}

/** Levels, folding, wrapping. */
export function mountTools(tools: Tools): void {
  for (const id of ["log-find", "log-tools"]) showIf(id, true);
  const change = (run: () => void, line?: number): void => {
    if (tools.isReady()) tools.view.change(run, line);
    else run();
  };
  mountLevels(tools, change);
  mountFolding(tools, change);
  mountWrap(tools, change);
}

/** Runs what changes which lines are shown, and how; the line stays where it is. */
type Change = (run: () => void, line?: number) => void;

function mountLevels({ index, onLevels }: Tools, change: Change): void {
  const menu = get("levels") as HTMLDetailsElement;
  const boxes = [...menu.querySelectorAll<HTMLInputElement>("input")];
  const show = (): void => {
    const shown = boxes.filter(({ checked }) => checked).map(({ value }) => value as LogLevel);
    change(() => index.showLevels(shown));
    const { length: all } = boxes;
    get("levels-shown").textContent = shown.length === all ? "all" : `${shown.length} of ${all}`;
    onLevels();
  };
  menu.addEventListener("change", show);
  show();
  // A menu that is open closes when one goes elsewhere.
  document.addEventListener("click", ({ target }) => {
    if (!menu.contains(target as Node)) menu.open = false;
  });
  menu.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
}

function mountFolding({ frame, index, view }: Tools, change: Change): void {
  get("fold-all").addEventListener("click", () => change(() => index.foldAll(true)));
  get("unfold-all").addEventListener("click", () => change(() => index.foldAll(false)));
  frame.addEventListener("click", ({ target }) => {
    const button = (target as Element).closest(".fold");
    const line = Number(button?.closest(".line")?.id.slice(1)) - 1;
    if (!button || !(line >= 0)) return;
    view.isPinned = false;
    view.focus(line, ".fold");
    change(() => index.fold(line, !index.folded.has(line)), line);
  });
}

function mountWrap({ frame, view }: Tools, change: Change): void {
  const button = get("wrap");
  const set = (isOn: boolean): void =>
    change(() => {
      frame.classList.toggle("unwrapped", !isOn);
      button.setAttribute("aria-pressed", String(isOn));
      view.measureText();
    });
  set(remembered() !== "off");
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") !== "true";
    set(isOn);
    remember(isOn ? "on" : "off");
  });
}

/** How many lines each level has, beside its name. */
export function showCounts({ counts }: LogIndex): void {
  for (const [n, level] of LEVEL_NAMES.entries()) {
    const count = input(`show-${level}`).parentElement?.querySelector(".count");
    if (count) count.textContent = counts[n] ? counts[n].toLocaleString("en") : "";
  }
}

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
