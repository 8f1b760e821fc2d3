import type { ActionLog } from "../../pipeline/action.ts";

/**
 * Writes a line each 5 %, or each 25 MB when nobody said how much comes; never more than one a second
 * (DISPATCHER.md 11.1).
 */
export function progressLines(
  log: Pick<ActionLog, "debug">,
  nowMs: () => number = () => performance.now(),
): (received: number, total: number | undefined) => void {
  let shown = 0;
  let last = nowMs();
  return (received, total) => {
    const step = total === undefined ? 25_000_000 : total * 0.05;
    const isEnd = received === total;
    if (received - shown < step && !isEnd) return;
    const now = nowMs();
    if (now - last < 1000 && !isEnd) return;
    last = now;
    shown = received;
    const megabytes = `${Math.floor(received / 1_000_000)} MB`;
    if (total === undefined) log.debug(`progress ${megabytes}`);
    else {
      const percent = total === 0 ? 100 : Math.floor((received / total) * 100);
      log.debug(`progress ${String(percent).padStart(3)} % (${megabytes})`);
    }
  };
}
