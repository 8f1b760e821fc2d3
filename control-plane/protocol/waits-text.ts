import type { Waits } from "./queue.ts";

/** `3rd in the queue, 2 before it want the same devices; expected to begin at about 14:05 UTC, at the latest 15:10`; or empty. */
export function placeText({ position, ahead = 0, more, ...expected }: Waits, now: number): string {
  if (position === undefined) return "";
  const place = more
    ? `more than ${position - 1} jobs are before it`
    : position === 1
      ? "next in the queue"
      : `number ${position} in the queue, ${ahead} before it want${ahead === 1 ? "s" : ""} the same devices`;
  const when = expectedText(expected, now);
  return when === "" ? place : `${place}; ${when}`;
}

/** `expected to begin in 5 min to 2 h, roughly`; empty while nothing can be said. */
export function expectedText(
  { expected_start, expected_late, sure }: Pick<Waits, "expected_start" | "expected_late" | "sure">,
  now: number,
): string {
  if (expected_start === undefined || expected_late === undefined) return "";
  const [early, late] = [expected_start, expected_late].map((at) => Date.parse(at) - now);
  if ((early ?? 0) <= 0 && (late ?? 0) <= 60_000) return "expected to begin now";
  const [from, to] = [lengthText(early ?? 0), lengthText(late ?? 0)];
  const range = from === to ? `about ${from}` : `${from} to ${to}`;
  const doubt = { good: "", rough: ", roughly", guess: ", which is a guess" }[sure ?? "guess"];
  return `expected to begin in ${range}${doubt}`;
}

function lengthText(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
