import type { JobView } from "#protocol/api.ts";
import { formatAgo, formatDuration, formatUtc } from "./format-time.ts";

/** How long ago, with the exact time on hover. */
export const Ago = ({ iso, now }: { iso: string; now: number }) => (
  <time datetime={iso} title={formatUtc(iso)}>
    {formatAgo(iso, now)}
  </time>
);

/** How long a job ran, or has been running; undefined before its start. */
export function ranFor({ start_time, end_time }: JobView, now: number): string | undefined {
  if (start_time === undefined) return undefined;
  const end = end_time === undefined ? now : Date.parse(end_time);
  return formatDuration(end - Date.parse(start_time));
}

/** How long a job was, or has been, in the queue. */
export function waitedFor({ submit_time, start_time, end_time }: JobView, now: number): string {
  const until = start_time ?? end_time;
  return formatDuration((until === undefined ? now : Date.parse(until)) - Date.parse(submit_time));
}
