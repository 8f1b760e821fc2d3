import { followLog, logReaderOf, readRange } from "./follow-log.ts";
import { LogList } from "./log-list.ts";

/** The job's page: follows the log, refreshes state, timeline and results until the job is Finished. */

const OLDER_LINES = 5000;
const PARTS = ["job-header", "group", "timeline", "results"];
const REFRESH_MS = 1000;
const SLOW_REFRESH_MS = 5000;

const frame = get("log");
const jobId = Number(frame.dataset["job"]);
const attempt = Number(frame.dataset["attempt"]);
const reader = logReaderOf(jobId, attempt);
const log = new LogList(frame, get("lines"));
let isComplete = frame.dataset["complete"] === "true";
let total = log.next;
let trouble: string | undefined;

get("newer").hidden = true;
get("older").addEventListener("click", (event) => {
  event.preventDefault();
  void showOlder();
});
get("to-end").addEventListener("click", () => log.scrollToEnd());
for (const change of ["pin", "trim"]) frame.addEventListener(change, showPosition);
addEventListener("hashchange", goToLine);
document.addEventListener("click", followLineLink);

if (location.hash.startsWith("#L")) goToLine();
else if (!isComplete && !new URLSearchParams(location.search).has("start")) log.scrollToEnd();
showPosition();
void follow();
void keepFresh();

async function follow(): Promise<void> {
  if (isComplete) return;
  await followLog(reader, {
    next: () => log.next,
    async take(page) {
      await log.append(page.records);
      isComplete = page.complete;
      showPosition();
    },
    isReady: () => !document.hidden && !log.isFull(),
    async ready() {
      if (document.hidden) await once(document, "visibilitychange", () => !document.hidden);
      if (log.isFull()) await log.whenPinned();
    },
    report(news) {
      trouble = news;
      showPosition();
    },
  });
}

/** The server renders the parts; what differs is taken over. */
async function keepFresh(): Promise<void> {
  let refreshed = performance.now();
  let tookMs = 0;
  while (get("job-header").dataset["state"] !== "Finished") {
    const seen = total;
    await pause(Math.max(REFRESH_MS, 10 * tookMs));
    if (document.hidden) await once(document, "visibilitychange", () => !document.hidden);
    const isDue = performance.now() - refreshed > SLOW_REFRESH_MS;
    if (total === seen && !isDue && !isComplete) continue;
    refreshed = performance.now();
    await refresh().catch(() => undefined);
    tookMs = performance.now() - refreshed;
  }
}

async function refresh(): Promise<void> {
  // Of this attempt: when the job goes on with another one, the page says where.
  const answer = await fetch(`/jobs/${jobId}/parts?attempt=${attempt}`, {
    signal: AbortSignal.timeout(20_000),
  });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of PARTS) {
    const fresh = page.getElementById(id);
    if (fresh) takeOver(get(id), fresh);
  }
}

function takeOver(element: HTMLElement, fresh: HTMLElement): void {
  const { state, health } = fresh.dataset;
  if (state !== undefined && state !== element.dataset["state"]) {
    get("announce").textContent =
      state === "Finished" ? `The job has ended: ${health}` : `The job is ${state}`;
  }
  Object.assign(element.dataset, fresh.dataset);
  for (const { id } of element.querySelectorAll("details[open]")) {
    fresh.querySelector(`details[id="${CSS.escape(id)}"]`)?.setAttribute("open", "");
  }
  if (fresh.innerHTML === element.innerHTML) return;
  const controls = (): HTMLElement[] => [
    ...element.querySelectorAll<HTMLElement>("a, button, summary"),
  ];
  const focused = controls().findIndex((control) => control === document.activeElement);
  element.replaceChildren(...fresh.childNodes);
  if (focused >= 0) controls()[focused]?.focus();
}

async function showOlder(): Promise<void> {
  const start = Math.max(0, log.first - OLDER_LINES);
  const { first } = log;
  const records = await readRange(reader, start, first).catch(() => []);
  if (start + records.length !== first || log.first !== first) return;
  log.prepend(records);
  showPosition();
}

/** Lines shown, and what is going on. */
function showPosition(): void {
  total = Math.max(total, log.next);
  const older = get("older");
  older.hidden = log.first === 0;
  older.textContent = `${log.first.toLocaleString("en")} older lines: show ${Math.min(OLDER_LINES, log.first).toLocaleString("en")} more`;
  get("to-end").hidden = log.isAtEnd();
  const lines = `${log.next.toLocaleString("en")} lines`;
  const isPaused = log.isFull() && !isComplete;
  const state = isComplete ? "" : isPaused ? ", paused: go to the end for more" : ", live";
  get("log-status").textContent = trouble ?? lines + state;
  get("log-status").classList.toggle("trouble", trouble !== undefined);
}

function goToLine(): void {
  const number = /^#L(\d{1,12})$/.exec(location.hash)?.[1];
  if (number === undefined || log.show(Number(number))) return;
  const isStillToCome = Number(number) > log.next && !isComplete;
  if (isStillToCome) return;
  const query = new URLSearchParams(location.search);
  query.set("start", String(Math.max(0, Number(number) - 100)));
  location.assign(`?${query}#L${number}`);
}

/** Links to lines need no new page when the line is here. */
function followLineLink(event: MouseEvent): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = (event.target as Element).closest<HTMLAnchorElement>('a[href*="#L"]');
  if (!link || !log.show(Number(link.hash.slice(2)))) return;
  event.preventDefault();
  history.replaceState(undefined, "", link.hash);
}

function get(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`#${id} is missing`);
  return element;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function once(target: EventTarget, event: string, condition: () => boolean): Promise<void> {
  while (!condition())
    await new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
}
