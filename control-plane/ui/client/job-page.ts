import { pause } from "./console-api.ts";
import { LogPanel } from "./log-panel.ts";
import { get } from "./page-parts.ts";
import { settle } from "./settle.ts";

/** The job's page: shows the log; refreshes state, timeline and results until the job is Finished. */

const PARTS = ["job-header", "group", "timeline", "results"];
const REFRESH_MS = 1000;
const SLOW_REFRESH_MS = 5000;
/** However slow the lab is. */
const MAX_PAUSE_MS = 30_000;

const { job: jobId, attempt } = get("log").dataset;
const log = new LogPanel();
void keepFresh();

/** The server renders the parts; what differs is taken over. */
async function keepFresh(): Promise<void> {
  let refreshed = performance.now();
  let tookMs = 0;
  while (get("job-header").dataset["state"] !== "Finished") {
    const seen = log.next;
    await pause(Math.min(MAX_PAUSE_MS, Math.max(REFRESH_MS, 10 * tookMs)));
    if (document.hidden) await once(document, "visibilitychange", () => !document.hidden);
    const isDue = performance.now() - refreshed > SLOW_REFRESH_MS;
    if (log.next === seen && !isDue && !log.isComplete) continue;
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
  log.showStatus();
  nameAttempt(get("job-header").dataset["retried"]);
}

/** Another attempt has followed the one that is shown: the address without a number leads to that one now. */
function nameAttempt(retried: string | undefined): void {
  const address = new URL(location.href);
  if (retried === undefined || address.searchParams.has("attempt")) return;
  address.searchParams.set("attempt", retried);
  history.replaceState(undefined, "", address);
}

function takeOver(element: HTMLElement, fresh: HTMLElement): void {
  const { state, health } = fresh.dataset;
  if (state !== undefined && state !== element.dataset["state"]) {
    get("announce").textContent =
      state === "Finished" ? `The job has ended: ${health}` : `The job is ${state}`;
  }
  settle(element, fresh);
}

async function once(target: EventTarget, event: string, condition: () => boolean): Promise<void> {
  while (!condition())
    await new Promise((resolve) => target.addEventListener(event, resolve, { once: true }));
}
