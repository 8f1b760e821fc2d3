/** Time, as the agent's rules see it. */
export interface Clock {
  /** Milliseconds since some moment, never back nor ahead by somebody's hand: for durations only. */
  now(): number;
  /** Milliseconds since 1970: for dates only, since it may be set at any time. */
  wall(): number;
  /** Calls back when this machine's clock has been set; ends with what it returns. */
  onSet(callback: () => void): () => void;
  /** Resolves after `ms`, or at once when the signal aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** As `Math.random`. */
  random(): number;
}

/** Less is a clock that is kept right, not one that was wrong. */
const SET_MS = 10_000;
const LOOK_MS = 1000;

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: Date.now,
  onSet: (callback) => {
    let difference = Date.now() - performance.now();
    const look = setInterval(() => {
      const before = difference;
      difference = Date.now() - performance.now();
      if (Math.abs(difference - before) > SET_MS) callback();
    }, LOOK_MS);
    return () => clearInterval(look);
  },
  random: Math.random,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
    }),
};
