/** LAVA's timeout mapping: `{minutes: 5}`, units added up when there are several (JOB.md 2). */
export interface TimeoutMapping {
  days?: number | undefined;
  hours?: number | undefined;
  minutes?: number | undefined;
  seconds?: number | undefined;
  /** Only in a test block: a time-out fails the block, not the job. */
  skip?: boolean | undefined;
}

/** What a time-out is when nobody says: 30 s for actions and for connections (DISPATCHER.md 2). */
export const DEFAULT_TIMEOUT_SECONDS = 30;

/** Seconds of a mapping; an empty or zero one is the default of 30 s. */
export function timeoutSeconds(timeout: TimeoutMapping): number {
  const { days = 0, hours = 0, minutes = 0, seconds = 0 } = timeout;
  const total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
  return total > 0 ? Math.trunc(total) : DEFAULT_TIMEOUT_SECONDS;
}

/** `HH:MM:SS`, as LAVA writes durations in its log lines. */
export function clockTime(seconds: number): string {
  const whole = Math.max(0, Math.trunc(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(Math.trunc(whole / 3600))}:${two(Math.trunc(whole / 60) % 60)}:${two(whole % 60)}`;
}
