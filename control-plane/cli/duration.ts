import { UsageError } from "./command.ts";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90m`, `2h`, `1d12h`: in seconds. Throws UsageError; `what` names the option. */
export function durationSeconds(text: string, what: string): number {
  const parts = [...text.matchAll(/(\d{1,6})([smhd])/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== text) {
    throw new UsageError(`${what}: expected a time such as 90m, 2h or 1d12h, not ${text}`);
  }
  return parts.reduce(
    (sum, [, count = "0", unit = ""]) => sum + Number(count) * (UNITS[unit] ?? 0),
    0,
  );
}
