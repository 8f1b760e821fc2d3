import { existsSync, fstatSync, rmSync, statfsSync, statSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { listSegments, segmentFile, sizeOfLog, type LogSegment } from "../host/log-segments.ts";
import { seekLine } from "./log-file.ts";

/** The files of one job's log (log-segments.ts), of which one is read at a time. Lines are counted as in the files, from 0. */
export class LogFiles {
  readonly #log: string;
  #segment: LogSegment;
  #handle: FileHandle;

  private constructor(log: string, segment: LogSegment, handle: FileHandle) {
    this.#log = log;
    this.#segment = segment;
    this.#handle = handle;
  }

  /** Begins with the first one that is there, which is made when there is none. */
  static async open(log: string): Promise<LogFiles> {
    const segment = listSegments(log)[0] ?? { file: log, firstLine: 0 };
    return new LogFiles(log, segment, await openFile(segment));
  }

  /** The one that is read. */
  get handle(): FileHandle {
    return this.#handle;
  }

  /**
   * Turns to the file that has a line, and says where that is; of a line that no file has where the nearest is: the end of
   * all, or the first of those that haven't been removed.
   */
  async goTo(line: number): Promise<{ line: number; offset: number }> {
    const segments = listSegments(this.#log);
    const segment = segments.findLast(({ firstLine }) => firstLine <= line) ?? segments[0];
    if (segment && segment.file !== this.#segment.file) await this.#turnTo(segment);
    const { firstLine } = this.#segment;
    const found = await seekLine(this.#handle, Math.max(0, line - firstLine));
    return { line: firstLine + found.line, offset: found.offset };
  }

  /** Bytes that are there behind a place, in the files that follow too; beyond `enough` nobody counts. */
  pendingBytes(offset: number, enough: number): number {
    const pending = fstatSync(this.#handle.fd).size - offset;
    if (pending >= enough) return pending;
    const { firstLine: own } = this.#segment;
    const later = listSegments(this.#log).filter(({ firstLine }) => firstLine > own);
    return later.reduce((sum, segment) => sum + sizeOf(segment), pending);
  }

  /** Turns to the file that begins with this line, if there is one: then all before it has been read. */
  async next(line: number): Promise<boolean> {
    if (!this.#hasNext(line)) return false;
    await this.#turnTo({ file: segmentFile(this.#log, line), firstLine: line });
    return true;
  }

  /** Removes files before the one that is read, oldest first, while all take more than `keepBytes` or the disk has less than `minFreeBytes`. */
  trim(keepBytes: number, minFreeBytes: number): void {
    for (const { file, firstLine } of listSegments(this.#log)) {
      if (firstLine >= this.#segment.firstLine) return;
      const { bavail, bsize } = statfsSync(path.dirname(file));
      if (sizeOfLog(this.#log) <= keepBytes && bavail * bsize >= minFreeBytes) return;
      rmSync(file, { force: true });
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  #hasNext(line: number): boolean {
    return line > this.#segment.firstLine && existsSync(segmentFile(this.#log, line));
  }

  async #turnTo(segment: LogSegment): Promise<void> {
    const handle = await openFile(segment);
    await this.#handle.close();
    this.#handle = handle;
    this.#segment = segment;
  }
}

const openFile = ({ file }: LogSegment): Promise<FileHandle> => open(file, "a+", 0o600);
const sizeOf = ({ file }: LogSegment): number =>
  statSync(file, { throwIfNoEntry: false })?.size ?? 0;
