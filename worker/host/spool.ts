import { closeSync, fdatasync, fsyncSync, openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { segmentFile } from "./log-segments.ts";

/** Lines wait this long for others to be written with; nobody who watches notices. */
const GATHER_MS = 20;
const GATHER_CHARS = 64 * 1024;
/** A cut of the machine's power takes with it what came in the last seconds. */
const SYNC_MS = 5000;
/** Of which whoever delivers them should hear. */
const MUCH_BYTES = 512 * 1024;
/** Between attempts to write to a disk that was full. */
const RETRY_MS = 1000;
/** Once the disk is full, of what must not be lost this much is kept until there is room again. */
const MOST_WAITING_CHARS = 1024 * 1024;

export interface Spool {
  /** Whether the disk has been full. */
  readonly isFull: boolean;
  /** False when the line is not taken: of a disk that stays full, nobody knows how long, not all can wait. */
  append(line: string): boolean;
  /** Resolves when everything is in the file and that on the disk: of a full disk once there is room again, or not at all. */
  close(giveUp?: AbortSignal): Promise<void>;
}

export interface SpoolOptions {
  /** From this size on another file is begun (log-segments.ts), so that those in front can be removed once delivered. */
  readonly segmentBytes?: number;
  /** Called each time when some hundred KiB more are in the file: it is a flood. */
  readonly onMuch?: () => void;
  /** Called once, when the disk is full: from then on `append` only keeps what fits, and writes it when there is room. */
  readonly onFull?: (error: Error) => void;
  readonly retryMs?: number;
}

/**
 * A file that lines are appended to, several in one write. Writing is synchronous, so a flood from a DUT
 * waits for the disk instead of growing in memory.
 */
export function openSpool(log: string, options: SpoolOptions = {}): Spool {
  const { segmentBytes = Infinity, onMuch, onFull, retryMs = RETRY_MS } = options;
  const files = openFiles(log, segmentBytes);
  let untold = 0;
  let lines = 0;
  let waiting = "";
  let waitingLines = 0;
  /** What a full disk has taken only a part of. */
  let rest = Buffer.alloc(0);
  let timer: NodeJS.Timeout | undefined;
  let isFull = false;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    try {
      while (rest.length > 0 || waiting !== "") {
        if (rest.length === 0) take();
        const written = files.write(rest);
        rest = rest.subarray(written);
        untold += written;
      }
    } catch (error) {
      if (!isNoRoom(error)) throw error;
      // Whoever is told may make some room.
      timer = setTimeout(flush, isFull ? retryMs : 0);
      if (isFull) return;
      isFull = true;
      onFull?.(error as Error);
    }
    if (untold < MUCH_BYTES) return;
    untold = 0;
    onMuch?.();
  };
  const take = (): void => {
    files.turn(lines - waitingLines);
    rest = Buffer.from(waiting, "utf8");
    waiting = "";
    waitingLines = 0;
  };
  return {
    get isFull() {
      return isFull;
    },
    append: (line) => {
      if (isFull && waiting.length > MOST_WAITING_CHARS) return false;
      waiting += `${line}\n`;
      lines += 1;
      waitingLines += 1;
      if (waiting.length >= GATHER_CHARS && !isFull) flush();
      else timer ??= setTimeout(flush, isFull ? retryMs : GATHER_MS);
      return true;
    },
    close: async (giveUp) => {
      flush();
      while ((waiting !== "" || rest.length > 0) && !giveUp?.aborted) {
        await sleep(retryMs);
        flush();
      }
      clearTimeout(timer);
      files.close();
    },
  };
}

/** The files that a log is written to, one after the other. */
function openFiles(log: string, segmentBytes: number) {
  let descriptor = openSync(log, "a", 0o600);
  let bytes = 0;
  let syncTimer: NodeJS.Timeout | undefined;
  /** Of the file that is long enough. */
  let synced: "begun" | "done" | undefined;
  const sync = (): void => {
    syncTimer = undefined;
    // A disk that can't is noticed by what is written to it.
    fdatasync(descriptor, () => {});
  };
  return {
    /** Bytes that were written, not always all. */
    write: (buffer: Buffer): number => {
      const written = writeSync(descriptor, buffer);
      bytes += written;
      syncTimer ??= setTimeout(sync, SYNC_MS).unref();
      if (bytes >= segmentBytes && synced === undefined) {
        // In the background, as it may take long; what comes meanwhile is little.
        synced = "begun";
        fdatasync(descriptor, () => (synced = "done"));
      }
      return written;
    },
    /** Begins another file when this one is long enough: those before the last are whole, after a power cut too. */
    turn: (firstLine: number): void => {
      if (synced !== "done") return;
      const next = openSync(segmentFile(log, firstLine), "a", 0o600);
      syncNow(descriptor);
      closeSync(descriptor);
      descriptor = next;
      bytes = 0;
      synced = undefined;
    },
    close: (): void => {
      clearTimeout(syncTimer);
      syncNow(descriptor);
      closeSync(descriptor);
    },
  };
}

/** What is no file on a disk can't be synced, and needn't be. */
function syncNow(descriptor: number): void {
  try {
    fsyncSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") throw error;
  }
}

/** What the system says when a disk, or a user's share of it, is full. */
export const isNoRoom = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException | undefined)?.code ?? "");
