import type { JobView } from "#protocol/api.ts";

/**
 * Address of a log line of the job whose page is open; it works whether or not the page shows the line. On the page of an
 * attempt that another one followed it leads to that attempt's log.
 */
export const lineAddress = (line: number, job: Pick<JobView, "attempt" | "retried"> = {}): string =>
  `${startAddress(line - 100, job)}#L${line + 1}`;

/** Address of the page with the log from a line on. */
export const startAddress = (line: number, job: Pick<JobView, "attempt" | "retried">): string =>
  `?${attemptQuery(job)}start=${Math.max(0, line)}`;

/** `attempt=1&` for an attempt that another one followed, else nothing: the job's last attempt needs no name. */
export const attemptQuery = ({ attempt, retried }: Pick<JobView, "attempt" | "retried">): string =>
  retried ? `attempt=${attempt}&` : "";
