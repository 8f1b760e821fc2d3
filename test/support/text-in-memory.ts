import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { findSection } from "../../worker/host/elf-section.ts";

const PAGE = 4096;

/** Of the worker's text in a process of its one file: which part of its pages are in memory, and how many pages were written to. */
export function textInMemory(pid: number): { part: number; written: number } {
  const text = findSection(`/proc/${pid}/exe`, ".bun");
  if (!text) throw new Error("no program of one file");
  const [from, offset] = mappingOf(pid, text.offset);
  const entries = Buffer.alloc(Math.floor(text.bytes / PAGE) * 8);
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  readSync(pagemap, entries, 0, entries.length, ((from + text.offset - offset) / PAGE) * 8);
  closeSync(pagemap);
  // A page's highest byte: bit 7 in memory, 6 swapped out, 5 the file's.
  const states = Array.from(
    { length: entries.length / 8 },
    (_, page) => entries[page * 8 + 7]! >> 5,
  );
  return {
    part: states.filter((state) => state & 4).length / states.length,
    written: states.filter((state) => state >= 2 && !(state & 1)).length,
  };
}

function mappingOf(pid: number, place: number): [from: number, offset: number] {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8");
  for (const [, from, to, at] of maps.matchAll(/^(\w+)-(\w+) rw-p (\w+) \S+ \d+ +\//gm)) {
    const [begin, end, offset] = [from, to, at].map((hex = "") => parseInt(hex, 16)) as number[];
    if (place >= offset! && place < offset! + end! - begin!) return [begin!, offset!];
  }
  throw new Error("its text is not mapped");
}
