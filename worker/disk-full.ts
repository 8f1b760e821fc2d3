import { rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isNoRoom } from "./host/spool.ts";
import { JobFailure } from "./pipeline/job-failure.ts";
import type { JobSignals } from "./pipeline/run-job.ts";

/** The last words of a job and its result are much shorter. */
const RESERVE_BYTES = 1024 * 1024;
const RETRY_MS = 1000;

/** A job's signals that also stop it once `onFull` is called, as the lab's fault: its log can't be written any more. */
export function stopWhenFull(
  { cancel, cancelAgain }: JobSignals,
  folder: string,
): { signals: JobSignals; onFull: (cause: Error) => void } {
  const full = new AbortController();
  return {
    signals: { cancel: AbortSignal.any([cancel, full.signal]), cancelAgain },
    onFull: (cause) => {
      const message = `disk full at ${folder}: free space there, or give it a larger disk`;
      full.abort(new JobFailure("Infrastructure", message, { cause }));
    },
  };
}

/** Occupies room that is given back when the disk is full. Without it a job runs all the same. */
export function reserveRoom(file: string): { release(): void } {
  try {
    writeFileSync(file, Buffer.alloc(RESERVE_BYTES), { mode: 0o600 });
  } catch {
    rmSync(file, { force: true });
  }
  return { release: () => rmSync(file, { force: true }) };
}

/** Does what needs room on the disk, again and again until there is some. */
export async function onceThereIsRoom(write: () => void): Promise<void> {
  for (;;) {
    try {
      return write();
    } catch (error) {
      if (!isNoRoom(error)) throw error;
      await sleep(RETRY_MS);
    }
  }
}
