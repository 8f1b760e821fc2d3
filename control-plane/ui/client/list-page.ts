import { settle } from "./settle.ts";

/** Pages of lists keep themselves fresh. */

const REFRESH_MS = 5000;
/** The parts of a page that are kept fresh. */
const LIVE = "#live, [data-live][id]";

if (document.querySelector(LIVE)) setInterval(() => void refresh(), REFRESH_MS);
addEventListener("focus", () => void refresh());

/**
 * Takes over what the server shows now, but not while the page is hidden or words of it are marked. What is the same stays as it is,
 * with the focus that it has, what was typed into it, and what was folded.
 */
async function refresh(): Promise<void> {
  const parts = [...document.querySelectorAll(LIVE)];
  if (parts.length === 0 || document.hidden || parts.some(hasSelection)) return;
  const answer = await fetch(location.href).catch(() => undefined);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  // The address leads to another page now: the lab's first job has come.
  if (!parts.some(({ id }) => page.getElementById(id))) return location.replace(location.href);
  for (const part of parts) {
    const fresh = page.getElementById(part.id);
    if (fresh && !hasSelection(part)) settle(part, fresh);
  }
}

function hasSelection(element: Element): boolean {
  const selection = getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(element, true);
}
