import { closeSync, openSync, writeSync } from "node:fs";

/** Lines wait this long for others to be written with; nobody who watches notices. */
const GATHER_MS = 20;
const GATHER_CHARS = 64 * 1024;

export interface Spool {
  append(line: string): void;
  /** Everything is in the file when this returns. */
  close(): void;
}

/**
 * A file that lines are appended to, several in one write. Writing is synchronous, so a flood from a DUT
 * waits for the disk instead of growing in memory.
 */
export function openSpool(file: string): Spool {
  const descriptor = openSync(file, "a", 0o600);
  let waiting = "";
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    let bytes = Buffer.from(waiting, "utf8");
    waiting = "";
    while (bytes.length > 0) bytes = bytes.subarray(writeSync(descriptor, bytes));
  };
  return {
    append: (line) => {
      waiting += `${line}\n`;
      if (waiting.length >= GATHER_CHARS) flush();
      else timer ??= setTimeout(flush, GATHER_MS);
    },
    close: () => {
      flush();
      closeSync(descriptor);
    },
  };
}
