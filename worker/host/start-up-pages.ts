import { closeSync, openSync, readFileSync, readlinkSync, readSync } from "node:fs";
import { createRequire } from "node:module";
import { findSection, type FilePiece } from "./elf-section.ts";

interface Libc {
  madvise(address: bigint, bytes: bigint, advice: number): number;
  getpagesize(): number;
}
interface BunRuntime {
  gc(isNow: boolean): void;
}
const runtime = (globalThis as { Bun?: BunRuntime }).Bun;

const LIBRARIES = ["libc.so.6", "libc.so"];
const MADV_DONTNEED = 4;
const PROGRAM = "/proc/self/exe";
/** What is mapped of files, and whether and where. Shared mappings are none of ours. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (r[w-][x-]p) ([0-9a-f]+) \S+ \d+ +(\/.*)$/gm;

/** What is never unloaded, so that its place stays its own. */
const C_LIBRARY = /\/lib[cm]\.so[^/]*$/;

/** Addresses. */
interface Piece {
  readonly from: number;
  readonly to: number;
}
interface Mapping extends Piece {
  readonly access: string;
  /** Of `from`, in the file. */
  readonly offset: number;
  readonly file: string;
}

/** Gives back what is rubbish on the heap of one file's program; elsewhere nothing. */
export const leaveRubbish = (): void => runtime?.gc(true);

/**
 * Gives back what an idle agent as one file does not need of its program and C library: pages that only starting, or a job,
 * has asked for. The system brings a page back from its file when it is needed again. @returns false where there is nothing to
 * give back, nor ever will be: in another runtime, or where the system does not tell.
 */
export function leavePages(): boolean {
  if (!runtime) return false;
  try {
    pieces ??= findPieces();
    // Only this: whatever else is done here brings back code, and a look at the heap by the runtime, which does, too.
    for (const { from, bytes } of pieces) libc?.madvise(from, bytes, MADV_DONTNEED);
  } catch {
    // More memory is no reason to fail.
    pieces = [];
  }
  return pieces.length > 0;
}

let libc: Libc | undefined;
let pieces: readonly { from: bigint; bytes: bigint }[] | undefined;

/** What nobody writes to: code, what lies before it in a file, and the worker's own text, which Bun only reads. */
function findPieces() {
  libc = loadLibc();
  if (!libc) return [];
  const pageSize = libc.getpagesize();
  const program = readlinkSync(PROGRAM);
  const bundle = findSection(PROGRAM, ".bun");
  return mappings()
    .filter(({ file }) => file === program || C_LIBRARY.test(file))
    .flatMap((one): Piece[] => {
      // What a loader relocates becomes read-only, too, but lies further back.
      if (one.access === "r-xp" || (one.access === "r--p" && one.offset === 0)) return [one];
      const found = bundle && one.file === program && bundleIn(one, bundle, pageSize);
      return found && isAsInFile(found, pageSize) ? [found] : [];
    })
    .map(({ from, to }) => ({ from: BigInt(from), bytes: BigInt(to - from) }));
}

function mappings(): Mapping[] {
  const hex = (text = ""): number => Number.parseInt(text, 16);
  return [...readFileSync("/proc/self/maps", "utf8").matchAll(MAPPING)].map(
    ([, from, to, access = "", offset, file = ""]) => ({
      ...{ from: hex(from), to: hex(to), offset: hex(offset) },
      ...{ access, file },
    }),
  );
}

/** The whole pages of the worker's text. */
function bundleIn(
  { from, to, offset }: Mapping,
  inFile: FilePiece,
  pageSize: number,
): Piece | undefined {
  if (inFile.offset < offset) return undefined;
  const begin = from + inFile.offset - offset;
  const end = Math.min(begin + inFile.bytes, to);
  const first = Math.ceil(begin / pageSize) * pageSize;
  const last = Math.floor(end / pageSize) * pageSize;
  return last > first ? { from: first, to: last } : undefined;
}

/** No page there was ever written to: it would be lost. */
function isAsInFile({ from, to }: Piece, pageSize: number): boolean {
  const pagemap = openSync("/proc/self/pagemap", "r");
  try {
    const entries = Buffer.alloc(((to - from) / pageSize) * 8);
    const bytes = readSync(pagemap, entries, 0, entries.length, (from / pageSize) * 8);
    return bytes === entries.length && AS_IN_FILE.test(entries.toString("latin1"));
  } finally {
    closeSync(pagemap);
  }
}

/** Linux's pagemap, 8 bytes a page, the highest last: its bit 7 in memory, 6 swapped out, 5 a file's. Not one of the first two without the third. */
const AS_IN_FILE = /^(?:[^]{7}[\x00-\x3f\x60-\x7f\xa0-\xbf\xe0-\xff])*$/;

function loadLibc(): Libc | undefined {
  const { dlopen } = createRequire("/")("bun:ffi") as {
    dlopen: (library: string, names: object) => { symbols: Libc };
  };
  const names = {
    madvise: { args: ["u64", "u64", "i32"], returns: "i32" },
    getpagesize: { args: [], returns: "i32" },
  };
  for (const library of LIBRARIES) {
    try {
      return dlopen(library, names).symbols;
    } catch {
      // Another C library's name.
    }
  }
  return undefined;
}
