import type { JobFailure } from "./job-failure.ts";

/** Longest delay that a timer takes; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Deadline {
  /** Aborted when the deadline passes or an outer one is; the reason is the failure to report. */
  readonly signal: AbortSignal;
  /** As `performance.now()`: nobody who sets the clock moves it. */
  readonly atMs: number;
  /** While something inside has its own deadline, only that one counts, so that the innermost is blamed. */
  suspend(): void;
  /** The inner one is over: this one counts again, and fires at once when it has passed. */
  resume(): void;
  clear(): void;
}

/** A deadline inside `outer`: not later than that, and aborted with it. */
export function startDeadline(
  seconds: number,
  outer: { signal: AbortSignal; atMs: number },
  failure: (elapsedSeconds: number) => JobFailure,
): Deadline {
  const started = performance.now();
  const atMs = Math.min(started + seconds * 1000, outer.atMs);
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expire = (): void => {
    // A timer may fire a little before its time.
    const elapsed = (performance.now() - started) / 1000 + 0.01;
    controller.abort(failure(Math.trunc(elapsed)));
  };
  const follow = (): void => controller.abort(outer.signal.reason);
  const resume = (): void => {
    const left = atMs - performance.now();
    if (left <= 0) expire();
    else timer = setTimeout(expire, Math.min(left, MAX_TIMER_MS));
  };
  if (outer.signal.aborted) follow();
  else {
    outer.signal.addEventListener("abort", follow, { once: true });
    resume();
  }
  return {
    signal: controller.signal,
    atMs,
    suspend: () => clearTimeout(timer),
    resume: () => {
      clearTimeout(timer);
      if (!controller.signal.aborted) resume();
    },
    clear: () => {
      clearTimeout(timer);
      outer.signal.removeEventListener("abort", follow);
    },
  };
}

/** What a well-behaved action gets to end in order, once its signal is aborted. */
const GRACE_MS = 1000;

/**
 * Settles as `work` does. Once the signal is aborted it fails with its reason: as soon as the work has
 * ended, and when it has not after a second, without it: no action is trusted. Work is not even begun
 * under a signal that is aborted already.
 */
export async function untilAborted<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let grace: NodeJS.Timeout | undefined;
  let stop = (): void => {};
  const overdue = new Promise<undefined>((resolve) => {
    stop = () => (grace = setTimeout(() => resolve(undefined), GRACE_MS));
    signal.addEventListener("abort", stop, { once: true });
  });
  const running = work();
  // What is left behind may still fail; nobody waits for it any more.
  running.catch(() => {});
  try {
    const done = await Promise.race([running, overdue]);
    signal.throwIfAborted();
    return done as T;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(grace);
    signal.removeEventListener("abort", stop);
  }
}
