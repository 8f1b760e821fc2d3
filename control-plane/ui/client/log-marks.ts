import { formatDuration } from "../format-time.ts";
import type { Match } from "./found-matches.ts";
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

/** Where a part of a line's text is in the document. */
export function rangesIn(element: Element): (match: Match) => Range | undefined {
  const text = element.querySelector("span");
  const parts: { node: Node; at: number; end: number }[] = [];
  if (!text) return () => undefined;
  const nodes = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  let end = 0;
  for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
    if (node.parentElement?.closest(NOT_TEXT)) continue;
    const at = end;
    end += node.textContent?.length ?? 0;
    parts.push({ node, at, end });
  }
  return ({ start, length }) => {
    const first = parts.find((part) => start < part.end);
    // What is cut off of a line that is too long is not in the document.
    const last = parts.find((part) => start + length <= part.end) ?? parts.at(-1);
    if (!first || !last) return undefined;
    const range = document.createRange();
    range.setStart(first.node, start - first.at);
    range.setEnd(last.node, Math.min(last.end, start + length) - last.at);
    return range;
  };
}

/** Shows these places as found and one as the current, where the browser can; the lines are marked in any case. */
export function highlight(ranges: Range[], current: Range | undefined): void {
  if (typeof Highlight === "undefined") return;
  CSS.highlights.set("found", new Highlight(...ranges));
  const one = new Highlight(...(current ? [current] : []));
  one.priority = 1;
  CSS.highlights.set("found-current", one);
}
