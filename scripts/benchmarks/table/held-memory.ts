import { readFileSync } from "node:fs";

/**
 * MiB that these processes hold together, as they would on a board of their own: what several of them share counts once, and what
 * they share with others of this machine counts whole. Of one process that is its resident memory.
 */
export function heldBy(processes: readonly { readonly pid: number }[]): number {
  return heldKib(processes.flatMap(({ pid }) => mappingsOf(pid))) / 1024;
}

/** As `heldBy`, of what `/proc/PID/smaps` says of each. */
export function heldKib(maps: readonly string[]): number {
  let kib = 0;
  /** Which page of a file it is nobody says: of each piece of a file the process counts that holds the most of it. */
  const shared = new Map<string, number>();
  for (const text of maps) {
    let piece = "";
    for (const line of text.split("\n")) {
      const begin = MAPPING.exec(line);
      if (begin) {
        const [, address = "", offset = "", file = ""] = begin;
        // What has no file is shared by those that were forked, at the address where it was.
        piece = file.startsWith("/") ? `${file} ${offset}` : `${file} ${address}`;
        continue;
      }
      const [, whose, state, size] = AMOUNT.exec(line) ?? [];
      const key = `${state} ${piece}`;
      if (whose === "Private") kib += Number(size);
      if (whose === "Shared") shared.set(key, Math.max(shared.get(key) ?? 0, Number(size)));
    }
  }
  return [...shared.values()].reduce((sum, size) => sum + size, kib);
}

const MAPPING = /^([0-9a-f]+)-[0-9a-f]+ \S{4} ([0-9a-f]+) \S+ \d+ *(.*)$/;
const AMOUNT = /^(Private|Shared)_(Clean|Dirty): +(\d+) kB$/;

function mappingsOf(pid: number): string[] {
  try {
    return [readFileSync(`/proc/${pid}/smaps`, "utf8")];
  } catch {
    return []; // It has ended meanwhile.
  }
}
