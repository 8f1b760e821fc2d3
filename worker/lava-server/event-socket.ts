import type { Clock } from "../agent/clock.ts";

/** Between attempts to listen. */
const RETRY_MS = 30_000;
/** Far more than what is told of one job. */
const MAX_EVENT_CHARS = 1024 * 1024;

/**
 * Listens to a LAVA server's events (API.md 1.8) until `signal` is aborted, and calls `ring` when one is of a job of this worker that is to
 * begin or to end. Without them the worker hears of it at its next ping; that they can't be had is said once.
 */
export async function listenForEvents(
  { url, name, ring, clock, log }: EventSocket,
  signal: AbortSignal,
): Promise<void> {
  // Node.js 20, which the ARMv7 file has inside, knows none.
  if (typeof WebSocket === "undefined") {
    return log(
      "no events: this Node.js has no WebSocket; this worker asks at its ping interval only",
    );
  }
  let isSaid = false;
  while (!signal.aborted) {
    const wasOpen = await listenOnce(url, (text) => isForUs(text, name) && ring(), signal);
    if (signal.aborted) return;
    // What happened meanwhile nobody told.
    if (wasOpen) ring();
    else if (!isSaid) log(`no events at ${url}: this worker asks at its ping interval only`);
    isSaid = true;
    await clock.sleep(RETRY_MS, signal);
  }
}

export interface EventSocket {
  readonly url: string;
  /** The worker's. */
  readonly name: string;
  readonly ring: () => void;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

/** Resolves when the connection is over: whether there was one. */
function listenOnce(
  url: string,
  hear: (text: string) => void,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    let wasOpen = false;
    const socket = new WebSocket(url);
    const close = (): void => socket.close();
    signal.addEventListener("abort", close, { once: true });
    socket.addEventListener("open", () => (wasOpen = true));
    socket.addEventListener("message", ({ data }) => typeof data === "string" && hear(data));
    socket.addEventListener("close", () => {
      signal.removeEventListener("abort", close);
      resolve(wasOpen);
    });
  });
}

function isForUs(text: string, name: string): boolean {
  if (text.length > MAX_EVENT_CHARS || !text.includes(".testjob")) return false;
  try {
    const [topic, , , , data] = JSON.parse(text) as unknown[];
    const { worker, state } = JSON.parse(String(data)) as { worker?: unknown; state?: unknown };
    const isJob = typeof topic === "string" && topic.endsWith(".testjob");
    return isJob && worker === name && (state === "Scheduled" || state === "Canceling");
  } catch {
    return false;
  }
}
