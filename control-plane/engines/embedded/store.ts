import { fdatasync, openSync, closeSync } from "node:fs";
import path from "node:path";
import { openDatabase, type Database } from "./sqlite.ts";

/** One SQLite file, of which a commit is answered when it is on the disk; many that come at once share one wait for it. */
export interface Store {
  readonly database: Database;
  /**
   * Does `work`, which must not wait, as one transaction: all of it or nothing. What it wrote survives a power cut once the promise is
   * kept. Throws what `work` throws, or that the disk keeps nothing (any more). `written` is called at once when the transaction is there for
   * readers, and not for one that failed.
   */
  commit<T>(work: () => T, written?: () => void): Promise<T>;
  /** The same, but the promise says nothing about the disk: what is written is there when a later `commit` is, and not without it. */
  write<T>(work: () => T): T;
  /**
   * Does `work` at the beginning of the next transaction, as part of it: one costs less than two. It is done again with the next where that
   * one fails; `written` is called when it has not. What was to be done later under the same name is not done any more.
   */
  later(name: string, work: () => void, written?: () => void): void;
  close(): void;
}

/** A crowd of those would be too much for one transaction, and for the memory. */
const MOST_LATER = 100;

/**
 * How long the log becomes, of 4 KiB: 32 MiB. The pages that every commit changes go from there into the table but once, and all others wait
 * for that: the longer the log, the less often.
 */
const LOG_PAGES = 8000;

/**
 * Of one process alone, which need not ask the system with each read and write whether another is about: a sixth of a transaction, a
 * third of a read. The system gives the lock back when the process ends, however it ends.
 */
const ALONE = "PRAGMA locking_mode = EXCLUSIVE";

/**
 * `synchronous = NORMAL` leaves the order in the log as it is and only waits for the disk at a checkpoint; the wait for each commit is ours, off the
 * event loop. Whoever reads sees a commit before it is on the disk; whatever they write because of it is behind it in the log.
 */
const SETTINGS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA wal_autocheckpoint = ${LOG_PAGES};
`;

/**
 * Of what is in the file. An older version would misread what it does not know: a change that it can't leave alone gets the next number. 1: small
 * blobs are rows (files of before have 0, and are read).
 */
const FORM = 1;

/** Throws before anything is written there. */
function requireKnownForm(database: Database, file: string): void {
  const form = Number(database.all("PRAGMA user_version")[0]?.["user_version"]);
  if (form > FORM) {
    throw new Error(
      `${file} was written by a newer Pumice (form ${form}, this one knows ${FORM}): start that one, or restore the backup from before (docs/operations.md)`,
    );
  }
  if (form < FORM) database.exec(`PRAGMA user_version = ${FORM}`);
}

function openAlone(file: string): Database {
  const database = openDatabase(file);
  try {
    database.exec(ALONE);
    requireKnownForm(database, file);
    database.exec(SETTINGS);
    return database;
  } catch (error) {
    database.close();
    if ((error as { errcode?: unknown }).errcode !== SQLITE_BUSY) throw error;
    const folder = path.dirname(file);
    throw new Error(`${folder} is in use by another control plane; stop that one first`, {
      cause: error,
    });
  }
}

const SQLITE_BUSY = 5;

/** How to wait for the disk. */
type Sync = (file: number, done: (error: Error | null) => void) => void;

/** Opens or makes the file, for this process alone; `:memory:` is none. Throws when another has it, and for a file of a newer version. */
export function openStore(file: string, sync: Sync = fdatasync): Store {
  const database = openAlone(file);
  const flush = file === ":memory:" ? NO_DISK : flushing(file, sync);

  const waiting = new Map<string, { work: () => void; written?: (() => void) | undefined }>();

  function write<T>(work: () => T): T {
    database.run("BEGIN IMMEDIATE");
    try {
      for (const one of waiting.values()) one.work();
      const result = work();
      database.run("COMMIT");
      for (const one of waiting.values()) one.written?.();
      waiting.clear();
      return result;
    } catch (error) {
      database.run("ROLLBACK");
      throw error;
    }
  }

  return {
    database,
    write,
    async commit(work, written) {
      flush.requireWorking();
      const result = write(work);
      written?.();
      await flush.done();
      return result;
    },
    later(name, work, written) {
      waiting.set(name, { work, written });
      if (waiting.size > MOST_LATER) write(() => {});
    },
    close() {
      if (waiting.size > 0) write(() => {});
      flush.close();
      database.close();
    },
  };
}

const NO_DISK = { requireWorking: () => {}, done: async () => {}, close: () => {} };

/** Waits until all that is in the log of `file` by now is on the disk. One wait runs; those who come meanwhile share the next. */
function flushing(file: string, sync: Sync) {
  let log: number | undefined;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  // The kernel says it once and forgets: what comes after a failure would seem to be kept.
  let failure: Error | undefined;

  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      log ??= openSync(`${file}-wal`, "r");
      sync(log, (error) => {
        if (!error) return resolve();
        failure ??= new Error(
          `the disk failed to keep what was written (${error.message}): look after it, then start the control plane again`,
          { cause: error },
        );
        reject(failure);
      });
    });

  function requireWorking(): void {
    if (failure) throw failure;
  }
  async function done(): Promise<void> {
    requireWorking();
    if (!running) {
      running = run().finally(() => (running = undefined));
      return running;
    }
    next ??= running
      .catch(() => {})
      .then(() => {
        next = undefined;
        return done();
      });
    return next;
  }
  return {
    requireWorking,
    done,
    close() {
      const file = log;
      if (file === undefined) return;
      if (running) void running.catch(() => {}).then(() => closeSync(file));
      else closeSync(file);
    },
  };
}
