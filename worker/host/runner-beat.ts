import { statSync, utimesSync, writeFileSync } from "node:fs";

const BEAT_MS = 15_000;
/** Its date until a runner touches it. */
const UNTOUCHED = 0;
let count = 0;
/** No work of ours keeps a runner's loop of events for so long: what does is a pattern of the job that searches for ever. */
export const STILL_MS = 300_000;

/** In the runner: touches the file for as long as this process comes to its events. @returns what ends it. */
export function beat(file: string): () => void {
  try {
    writeFileSync(file, "");
  } catch {
    // A full disk: without the file nobody waits for the beat.
  }
  const timer = setInterval(() => touchBeat(file), BEAT_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** In the agent, before it starts a runner: makes the file, so that it can be listened to. False when it can't be: of a full disk, say. */
export function prepareBeat(file: string): boolean {
  try {
    writeFileSync(file, "", { flag: "a", mode: 0o600 });
    utimesSync(file, UNTOUCHED, UNTOUCHED);
    return true;
  } catch {
    return false;
  }
}

/** In the runner: there is something in the job's folder that its agent, which listens to the beat, should see at once. */
export function touchBeat(file: string): void {
  // Its date is a count: a clock may be set, and then say the same twice.
  count += 1;
  try {
    utimesSync(file, count, count);
  } catch {
    // A full disk, or none at all: the agent looks by itself now and then.
  }
}

/**
 * In the agent: tells at each call whether the runner has stood still for too long, by what this agent itself has seen: dates may be
 * set, an agent may have been away. A runner that has never touched the file, or has none, of an earlier version, never has.
 */
export function watchBeat(file: string, nowMs: () => number): () => boolean {
  let seen: number | undefined;
  let since = 0;
  return () => {
    const last = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    if (last === undefined || last === UNTOUCHED || last !== seen) {
      seen = last;
      since = nowMs();
    }
    return nowMs() - since >= STILL_MS;
  };
}
