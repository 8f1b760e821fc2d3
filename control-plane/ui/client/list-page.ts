/** Pages of lists keep themselves fresh; the submit page takes its reader to the line of a problem. */

const REFRESH_MS = 5000;

const live = document.querySelector("#live");
if (live) setInterval(() => void refresh(live), REFRESH_MS);
addEventListener("focus", () => live && void refresh(live));
document.addEventListener("click", goToProblem);

/** Takes over what the server shows now; waits while the page is hidden or the reader is within the list. */
async function refresh(element: Element): Promise<void> {
  if (document.hidden || element.contains(document.activeElement) || hasSelection(element)) return;
  const answer = await fetch(location.href).catch(() => undefined);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("#live");
  if (fresh && fresh.innerHTML !== element.innerHTML) element.replaceChildren(...fresh.childNodes);
}

function hasSelection(element: Element): boolean {
  const selection = getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(element, true);
}

function goToProblem(event: MouseEvent): void {
  const link = (event.target as Element).closest<HTMLElement>("a[data-line]");
  const area = document.querySelector<HTMLTextAreaElement>("#definition");
  if (!link || !area) return;
  event.preventDefault();
  const lines = area.value.split("\n");
  const line = Math.min(Number(link.dataset["line"]), lines.length) - 1;
  const start = lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
  area.focus();
  area.setSelectionRange(
    start + Number(link.dataset["column"]) - 1,
    start + (lines[line]?.length ?? 0),
  );
  area.scrollTop = (area.scrollHeight / lines.length) * Math.max(0, line - 5);
}
