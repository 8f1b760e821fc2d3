import { MAX_CONSOLE_HOLD_SECONDS } from "#protocol/consoles.ts";
import type { Deps } from "./deps.ts";

/** Pause of those whose questions are not held back; while somebody types, who waits for an echo asks more often. */
const POLL_SECONDS = 2;
const LIVELY_POLL_SECONDS = 0.3;
const LIVELY_MS = 10_000;

/** Asks again whenever the session's bell rings, until there is news or the time is over; at once where answers aren't held back. */
export async function holdBack<R extends object>(
  deps: Deps,
  id: string,
  seconds: number,
  signal: AbortSignal | undefined,
  ask: () => Promise<{ reply: R; isNews: boolean; activeAt: number }>,
): Promise<R & { poll_seconds?: number }> {
  const isHeld = deps.settings.logHoldSeconds > 0;
  const longest = Math.min(seconds, MAX_CONSOLE_HOLD_SECONDS, deps.settings.logHoldSeconds);
  const deadline = deps.system.now() + longest * 1000;
  const listener = deps.signals.listen(`console/${id}`);
  try {
    for (;;) {
      const { reply, isNews, activeAt } = await ask();
      if (isNews) return reply;
      const left = deadline - deps.system.now();
      if (left <= 0 || !(await listener.rung(left, signal))) {
        if (isHeld) return reply;
        const isLively = deps.system.now() - activeAt < LIVELY_MS;
        return { ...reply, poll_seconds: isLively ? LIVELY_POLL_SECONDS : POLL_SECONDS };
      }
    }
  } finally {
    listener.close();
  }
}
