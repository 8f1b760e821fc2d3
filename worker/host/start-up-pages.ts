import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

interface Libc {
  madvise(address: bigint, bytes: bigint, advice: number): number;
}
interface BunRuntime {
  gc(isNow: boolean): void;
}
const runtime = (globalThis as { Bun?: BunRuntime }).Bun;

const LIBRARIES = ["libc.so.6", "libc.so"];
const MADV_DONTNEED = 4;
/** Of the file that runs, what is code; nothing is ever written there, so the file has all of it. */
const CODE = /^([0-9a-f]+)-([0-9a-f]+) r-xp \S+ \S+ \d+ +(\/.*)$/gm;

/**
 * Gives back what an idle agent does not need as one file: rubbish on its heap, and the pages of its runtime's code that
 * only starting, or a job, has asked for. The system brings a page back when it is needed again. Elsewhere, and where
 * that can't be done, nothing.
 */
export function leaveStartUpPages(): void {
  if (!runtime) return;
  try {
    runtime.gc(true);
    libc ??= loadLibc();
    for (const [, from = "", to = "", file] of readFileSync("/proc/self/maps", "utf8").matchAll(
      CODE,
    )) {
      if (file !== process.execPath) continue;
      const address = BigInt(`0x${from}`);
      libc?.madvise(address, BigInt(`0x${to}`) - address, MADV_DONTNEED);
    }
  } catch {
    // More memory is no reason to fail.
  }
}

let libc: Libc | undefined;

function loadLibc(): Libc | undefined {
  const { dlopen } = createRequire("/")("bun:ffi") as {
    dlopen: (library: string, names: object) => { symbols: Libc };
  };
  for (const library of LIBRARIES) {
    try {
      return dlopen(library, { madvise: { args: ["u64", "u64", "i32"], returns: "i32" } }).symbols;
    } catch {
      // Another C library's name.
    }
  }
  return undefined;
}
