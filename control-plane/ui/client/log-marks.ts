import { formatDuration } from "../format-time.ts";
import type { LogSection } from "./log-sections.ts";

/** What drawn lines get beyond their text: where a section can be folded, and the place of a match. */

const NOT_TEXT = ".fold, .took";

/** Makes a line the head of its section. */
export function markSection(element: Element, section: LogSection, isFolded: boolean): void {
  const text = element.querySelector("span");
  if (!text) return;
  element.classList.add("section", `depth${section.depth}`);
  element.classList.toggle("failed", section.failed);
  let button = text.querySelector<HTMLButtonElement>(".fold");
  if (!button) {
    button = document.createElement("button");
    button.className = "fold";
    button.type = "button";
    text.prepend(button);
  }
  button.textContent = isFolded ? "▸" : "▾";
  button.setAttribute("aria-expanded", String(!isFolded));
  button.setAttribute("aria-label", section.name);
  let took = text.querySelector(".took");
  if (!took) {
    took = document.createElement("i");
    took.className = "took";
    text.append(took);
  }
  took.textContent = summaryOf(section);
}

/** `12 s, 340 lines, failed` */
function summaryOf({ line, last, tookMs, failed }: LogSection): string {
  const lines = last - line;
  const parts = [
    tookMs === undefined ? (last === Infinity ? "running" : "cut off") : formatDuration(tookMs),
    ...(last === Infinity
      ? []
      : [`${lines.toLocaleString("en")} ${lines === 1 ? "line" : "lines"}`]),
    ...(failed ? ["failed"] : []),
  ];
  return parts.join(", ");
}

/** Where a part of the line's text is in the document; undefined when it is not shown. */
export function rangeIn(element: Element, start: number, length: number): Range | undefined {
  const text = element.querySelector("span");
  if (!text) return undefined;
  const range = document.createRange();
  const nodes = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  let at = 0;
  let hasStart = false;
  for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
    if (node.parentElement?.closest(NOT_TEXT)) continue;
    const size = node.textContent?.length ?? 0;
    if (!hasStart && start < at + size) {
      range.setStart(node, start - at);
      hasStart = true;
    }
    if (hasStart) range.setEnd(node, Math.min(size, start + length - at));
    if (hasStart && start + length <= at + size) return range;
    at += size;
  }
  return hasStart ? range : undefined;
}

/** Shows these places as found, where the browser can; the lines are marked in any case. */
export function highlight(ranges: Range[]): void {
  if (typeof Highlight === "undefined") return;
  CSS.highlights.set("found", new Highlight(...ranges));
}
