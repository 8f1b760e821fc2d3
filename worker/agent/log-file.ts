import { fstatSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";

/** Whole lines of a log, as they are in the file. */
export interface LogLines {
  readonly bytes: Buffer;
  readonly count: number;
}

const NEWLINE = 0x0a;
const SLICE_BYTES = 64 * 1024;

/**
 * The whole lines at `offset`, at most `maxLines` and, but for a single longer line, `maxBytes`.
 * Undefined when there is none. The runner bounds a line (`MAX_RECORD_CHARS`), hence so is the memory.
 */
export async function readLines(
  file: FileHandle,
  offset: number,
  maxLines: number,
  maxBytes: number,
): Promise<LogLines | undefined> {
  for (let size = maxBytes; ; size *= 2) {
    const buffer = Buffer.allocUnsafe(Math.min(size, restOf(file, offset)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    const read = buffer.subarray(0, bytesRead);
    let count = 0;
    let end = 0;
    while (count < maxLines) {
      const newline = read.indexOf(NEWLINE, end);
      if (newline === -1) break;
      end = newline + 1;
      count++;
    }
    if (count > 0) return { bytes: read.subarray(0, end), count };
    if (bytesRead < size) return undefined;
  }
}

/** Offset of the given 0-based line, or the number of whole lines when the file has no more than that. */
export async function seekLine(
  file: FileHandle,
  line: number,
): Promise<{ offset: number; line: number }> {
  const buffer = Buffer.allocUnsafe(SLICE_BYTES);
  let offset = 0;
  let seen = 0;
  for (let at = 0; seen < line;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    const slice = buffer.subarray(0, bytesRead);
    for (let from = 0; seen < line; seen++) {
      const newline = slice.indexOf(NEWLINE, from);
      if (newline === -1) break;
      from = newline + 1;
      offset = at + from;
    }
    at += bytesRead;
  }
  return { offset, line: seen };
}

const restOf = (file: FileHandle, offset: number): number =>
  Math.max(0, fstatSync(file.fd).size - offset);
