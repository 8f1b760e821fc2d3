import type { SyncRequest } from "#protocol/worker-api.ts";
import type { Deps } from "./deps.ts";
import { getWorkerItem, type WorkerRecord } from "./worker-record.ts";

/** A late report of a program before so many others is taken for news again. */
const MOST_PAST = 4;

/** The newest report once this one is there; "late": it is not this one. Absent in older workers, whose order nobody knows. */
export function reportAfter(
  { report: last }: WorkerRecord,
  { report }: SyncRequest,
): WorkerRecord["report"] | "late" {
  if (!report || !last) return report && { ...report, past: [] };
  if (report.run === last.run) {
    return report.number > last.number ? { ...report, past: last.past } : "late";
  }
  if (last.past.includes(report.run)) return "late";
  return { ...report, past: [last.run, ...last.past].slice(0, MOST_PAST) };
}

const isNewest = ({ report: last }: WorkerRecord, { report }: SyncRequest): boolean =>
  !report || (last?.run === report.run && last.number === report.number);

/** Whether a report is the newest of its worker still; asked before what it says is written. */
export async function isStillNewest(
  deps: Deps,
  name: string,
  request: SyncRequest,
): Promise<boolean> {
  return !request.report || isNewest((await getWorkerItem(deps, name)).data, request);
}
