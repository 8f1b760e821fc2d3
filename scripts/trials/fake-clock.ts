import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** A clock for some programs that can be set while they run (libfaketime, Debian's package faketime). */
export interface FakeClock {
  readonly env: Readonly<Record<string, string>>;
  /** By how much it is wrong from now on; what measures durations stays right. */
  set(seconds: number): void;
}

/** Undefined where the library is not installed. */
export function fakeClock(file: string): FakeClock | undefined {
  const library = libraries().find(existsSync);
  if (library === undefined) return undefined;
  const set = (seconds: number): void =>
    writeFileSync(file, `${seconds < 0 ? "" : "+"}${seconds}\n`);
  set(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_CACHE_DURATION: "1",
    },
    set,
  };
}

/** Where the library has a semaphore and shared memory for each program; one that is killed leaves them. */
const SHARED = "/dev/shm";
const NAME = /^(?:sem\.faketime_sem|faketime_shm)_(\d+)$/;

/** Removes what the library had for programs that are no more. */
export function removeLeftClocks(folder = SHARED): void {
  for (const name of readdirSync(folder)) {
    const [, pid] = NAME.exec(name) ?? [];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) {
      rmSync(path.join(folder, name), { force: true });
    }
  }
}

const libraries = (): string[] =>
  readdirSync("/usr/lib").map((name) => path.join("/usr/lib", name, "faketime/libfaketime.so.1"));
