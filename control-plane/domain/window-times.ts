import { WEEKDAYS, type MaintenanceWindow, type Weekly } from "#protocol/windows.ts";

/** In ms since 1970; the end is not part of it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** The time of a window that is now, else its next one; undefined once it is over. */
export function nextSpan(
  { from, to, weekly }: Pick<MaintenanceWindow, "from" | "to" | "weekly">,
  now: number,
): Span | undefined {
  if (weekly) return nextWeekly(weekly, now);
  if (from === undefined || to === undefined) return undefined;
  const span = { start: Date.parse(from), end: Date.parse(to) };
  return span.end > now ? span : undefined;
}

/** By the clock of the zone, so that it stays at 22:00 when summer begins; its length is that of a stop-watch. */
function nextWeekly({ days, at, minutes, zone }: Weekly, now: number): Span | undefined {
  const today = clockIn(zone, now);
  const [hours = 0, mins = 0] = at.split(":").map(Number);
  let next: Span | undefined;
  // One of a week's length may have begun a week ago.
  for (let day = -8; day <= 8; day++) {
    const date = new Date(Date.UTC(today.year, today.month - 1, today.day) + day * DAY_MS);
    if (!days.includes(WEEKDAYS[date.getUTCDay()] ?? "sun")) continue;
    const start = instantOf(zone, date.getTime() + (hours * 60 + mins) * 60_000);
    const span = { start, end: start + minutes * 60_000 };
    if (span.end > now && (!next || span.start < next.start)) next = span;
  }
  return next;
}

/**
 * When the clock of a zone shows a time, which is given as if it were UTC. One that it skips when summer begins is as much later; of
 * one that it shows twice it is either.
 */
function instantOf(zone: string, shown: number): number {
  const guess = shown - offsetAt(zone, shown);
  const instant = shown - offsetAt(zone, guess);
  // West of Greenwich the guess at a time that is skipped is the later one, east of it the earlier.
  return instant + offsetAt(zone, instant) === shown ? instant : Math.max(guess, instant);
}

/** By how much the clock of a zone is ahead of UTC. */
function offsetAt(zone: string, instant: number): number {
  const { year, month, day, hour, minute, second } = clockIn(zone, instant);
  const whole = Math.floor(instant / 1000) * 1000;
  return Date.UTC(year, month - 1, day, hour, minute, second) - whole;
}

type Clock = Record<"year" | "month" | "day" | "hour" | "minute" | "second", number>;

function clockIn(zone: string, instant: number): Clock {
  const parts = formatOf(zone).formatToParts(instant);
  const of = (type: keyof Clock): number =>
    Number(parts.find((part) => part.type === type)?.value ?? 0);
  return {
    year: of("year"),
    month: of("month"),
    day: of("day"),
    hour: of("hour"),
    minute: of("minute"),
    second: of("second"),
  };
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Making one is slow. There are as many as there are time zones. */
function formatOf(zone: string): Intl.DateTimeFormat {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  formats.set(zone, format);
  return format;
}
