import type { JournalLine } from "./journal-lines.ts";

/** What looks like a signal and has no intact tail: a damaged entry, or what a test printed itself. */
export interface Candidate {
  readonly text: string;
  readonly logLine: number;
  /** It is all that stands in its line. */
  readonly isAlone: boolean;
  /** What is left of a tail follows: no test has printed that. */
  readonly hasTail: boolean;
}

export type Entry = Pick<JournalLine, "number" | "text"> & { readonly logLine: number };

/** What came between two entries. */
export type Item<Parsed> =
  | { readonly kind: "candidate"; readonly candidate: Candidate }
  | { readonly kind: "parsed"; readonly parsed: Parsed };

/**
 * Entries `first` to `last`, by number, and what came before `last` did, in the order in which the DUT printed them.
 * `late` entries arrived when they were asked for, so nothing but a damaged copy shows where they belong; where there is
 * none it is as early as can be, as an entry may begin the run that the others belong to. Damaged copies are left out.
 *
 * @param lastInPlace false when `last` is late too.
 */
export function inOrder<Parsed>(
  items: readonly Item<Parsed>[],
  range: { readonly first: number; readonly last: number; readonly lastInPlace: boolean },
  late: readonly Entry[],
): (number | Item<Parsed>)[] {
  const { first, last, lastInPlace } = range;
  const ordered: (number | Item<Parsed>)[] = [];
  let next = first;
  const upTo = (number: number): void => {
    for (; next <= number; next++) ordered.push(next);
  };
  const explained = new Set<number>();
  const places = items.map((item) => placeOf(item, late, explained));
  const beforePlace = (at: number): number => {
    const following = places.slice(at).find((place) => place !== "own" && place !== undefined);
    return typeof following === "number" ? following - 1 : lastInPlace ? last - 1 : last;
  };
  upTo(beforePlace(0));
  for (const [at, item] of items.entries()) {
    const place = places[at];
    if (place === "own") ordered.push(item);
    else if (place !== undefined) upTo(Math.max(place, beforePlace(at + 1)));
  }
  upTo(last);
  return ordered;
}

/** The number of the entry that a candidate is a copy of; undefined when it is one of some other. */
function placeOf<Parsed>(
  item: Item<Parsed>,
  late: readonly Entry[],
  explained: Set<number>,
): number | "own" | undefined {
  if (item.kind === "parsed") return "own";
  const { text, isAlone, hasTail } = item.candidate;
  const same = late.find((entry) => entry.text === text);
  if (same) return same.number;
  if (isAlone && !hasTail) {
    // Noise may have put the tail into the next line. One such copy an entry: the others are other cases' results.
    const near = late.find(
      ({ number, text: whole }) => !explained.has(number) && isDamagedCopy(text, whole, NEARLY_ALL),
    );
    if (near) explained.add(near.number);
    return near?.number ?? "own";
  }
  const near = late.find((entry) => isDamagedCopy(text, entry.text, MOST));
  return near?.number ?? (hasTail ? undefined : "own");
}

/** Of an entry's characters, so many must be found in what may be a damaged copy of it. */
const MOST = 0.7;
const NEARLY_ALL = 0.9;

/** Whether a text is an entry's, damaged: this part of the entry's characters stands in it, in order. */
const isDamagedCopy = (text: string, entry: string, part: number): boolean =>
  commonLength(text, entry) >= part * entry.length;

/** Length of the longest common subsequence. */
function commonLength(one: string, other: string): number {
  let row = new Uint16Array(other.length + 1);
  for (const character of one.slice(0, MAX_CHARS)) {
    const next = new Uint16Array(other.length + 1);
    for (let at = 1; at <= other.length; at++) {
      const isSame = other[at - 1] === character;
      next[at] = isSame ? (row[at - 1] ?? 0) + 1 : Math.max(row[at] ?? 0, next[at - 1] ?? 0);
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

/** An entry has little more than 1,000; what is longer has more than that in it. */
const MAX_CHARS = 4_000;
