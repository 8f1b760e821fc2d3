import { readdirSync, statSync } from "node:fs";
import path from "node:path";

/** A part of a job's log: the first has the log's own name, the others the number of their first line behind it. */
export interface LogSegment {
  readonly file: string;
  /** Of the file's own count, from 0. */
  readonly firstLine: number;
}

/** Name of the part that begins with this line. */
export const segmentFile = (log: string, firstLine: number): string =>
  firstLine === 0 ? log : `${log}.${firstLine}`;

/** The parts of a log that are there, in order; those in front may have been removed once they were delivered. */
export function listSegments(log: string): LogSegment[] {
  const folder = path.dirname(log);
  const name = path.basename(log);
  return readdirSync(folder)
    .flatMap((entry) => {
      const firstLine = entry === name ? 0 : numberBehind(entry, `${name}.`);
      return firstLine === undefined ? [] : [{ file: path.join(folder, entry), firstLine }];
    })
    .sort((a, b) => a.firstLine - b.firstLine);
}

/** The part that is appended to; the first one when there is none yet. */
export const lastSegment = (log: string): LogSegment =>
  listSegments(log).at(-1) ?? { file: log, firstLine: 0 };

/** What all parts of a log take on the disk, in bytes. */
export const sizeOfLog = (log: string): number =>
  listSegments(log).reduce(
    (sum, { file }) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );

function numberBehind(entry: string, prefix: string): number | undefined {
  if (!entry.startsWith(prefix)) return undefined;
  const digits = entry.slice(prefix.length);
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : undefined;
}
