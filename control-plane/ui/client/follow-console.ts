import type { ConsoleOutput } from "#protocol/consoles.ts";
import { bytesOfBase64 } from "../../console-recording.ts";
import { ask, backOffMs, pause, Refusal } from "./console-api.ts";

const HOLD_SECONDS = 20;
/** Of what was said before a window looks. */
const MAX_BEFORE_BYTES = 256 * 1024;

export interface ConsoleFollower {
  /** Called in order, each before the next is asked for. `isBefore`: it was said before this window looked. */
  take(bytes: Uint8Array, isBefore: boolean): Promise<void>;
  /** What is known of the session now. */
  state(output: ConsoleOutput): void;
  /** Undefined when all is well. */
  report(trouble: string | undefined): void;
}

/**
 * Follows what a device says in a session until its end or the signal, from its last 256 kB on. After a lost connection
 * it goes on from the byte where it was; a hidden page asks for nothing.
 */
export async function followConsole(
  id: string,
  follower: ConsoleFollower,
  signal: AbortSignal,
): Promise<void> {
  let next: number | undefined;
  let before = 0;
  for (let failures = 0; !signal.aborted;) {
    await visible(signal);
    try {
      if (next === undefined) {
        const end = await ask<ConsoleOutput>("GET", pathOf(id, "end", 0), undefined, signal);
        before = end.next;
        next = Math.max(0, end.next - MAX_BEFORE_BYTES);
      }
      const hold = next < before ? 0 : HOLD_SECONDS;
      const output = await ask<ConsoleOutput>("GET", pathOf(id, next, hold), undefined, signal);
      if (failures > 0) follower.report(undefined);
      failures = 0;
      for (const { from, data } of output.pieces) {
        if (signal.aborted) return;
        await follower.take(bytesOfBase64(data), from < before);
      }
      next = output.next;
      if (output.pieces.length === 0) before = next;
      follower.state(output);
      if (output.state === "ended" && output.pieces.length === 0) return;
      if (output.poll_seconds !== undefined) await pause(output.poll_seconds * 1000, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refusal) return follower.report(error.message);
      failures += 1;
      follower.report("No answer from the lab; trying again");
      await pause(backOffMs(failures), signal);
    }
  }
}

const pathOf = (id: string, from: number | "end", hold: number): string =>
  `/consoles/${id}/output?from=${from}&hold=${hold}`;

async function visible(signal: AbortSignal): Promise<void> {
  while (document.hidden && !signal.aborted) {
    await new Promise((resolve) => {
      document.addEventListener("visibilitychange", resolve, { once: true });
      signal.addEventListener("abort", resolve, { once: true });
    });
  }
}
