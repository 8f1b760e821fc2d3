import { getVisibleJob } from "../../domain/visible.ts";
import { readLog } from "../../domain/job-log.ts";
import { logLine } from "../shapes/log-yaml.ts";
import type { Call } from "./method.ts";
import { mostChars } from "./whole-text.ts";
import type { XmlRpcValue } from "./xml-value.ts";

/**
 * Lines of a job's log and whether there is no more to come. A log that is too long for one answer is cut where its caller goes
 * on: as that of a running job, it is not finished.
 */
export async function logPage(
  { deps, principal }: Call,
  id: number,
  { start, end }: { start: number; end?: number | undefined },
): Promise<XmlRpcValue> {
  const most = mostChars(deps);
  const encoder = new TextEncoder();
  const lines: Uint8Array[] = [];
  let bytes = 0;
  let next = start;
  let attempt: number | undefined;
  for (;;) {
    const page = await readLog(deps, principal, id, { start: next, end, attempt });
    ({ attempt } = page);
    for (const record of page.records) {
      const line = encoder.encode(`- ${logLine(record)}\n`);
      if (lines.length > 0 && bytes + line.length > most) return [false, joined(lines, bytes)];
      bytes += line.length;
      lines.push(line);
    }
    next = page.next;
    const isRead = page.records.length === 0 || (end !== undefined && next >= end);
    if (!page.complete && !isRead) continue;
    const isOver = page.complete || (await hasEnded({ deps, principal }, id));
    return [isOver, joined(lines, bytes)];
  }
}

function joined(lines: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const line of lines) {
    whole.set(line, at);
    at += line.length;
  }
  return whole;
}

/** For whoever asks for a part of the log: LAVA says so of the job. */
async function hasEnded({ deps, principal }: Call, id: number): Promise<boolean> {
  return (await getVisibleJob(deps, principal, id)).state === "Finished";
}
