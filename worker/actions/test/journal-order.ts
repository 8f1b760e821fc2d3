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

/** May be a damaged copy of an entry, or a test's own signal. */
export interface Doubtful {
  readonly kind: "doubtful";
  readonly candidate: Candidate;
}

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
): (number | Item<Parsed> | Doubtful)[] {
  const { first, last, lastInPlace } = range;
  const ordered: (number | Item<Parsed> | Doubtful)[] = [];
  let next = first;
  const upTo = (number: number): void => {
    for (; next <= number; next++) ordered.push(next);
  };
  const explained = new Set<Entry>();
  // Equal texts are common: one of this range is meant, if there is one.
  const isHere = ({ number }: Entry): boolean => number >= first && number <= last;
  const known = [...late.filter(isHere), ...late.filter((entry) => !isHere(entry))];
  const places = items.map((item) => {
    const place = placeOf(item, known, explained);
    return typeof place === "number" && (place < first || place > last) ? undefined : place;
  });
  const beforePlace = (at: number): number => {
    const following = places.slice(at).find((place) => typeof place === "number");
    return typeof following === "number" ? following - 1 : lastInPlace ? last - 1 : last;
  };
  upTo(beforePlace(0));
  for (const [at, item] of items.entries()) {
    const place = places[at];
    if (place === "own") ordered.push(item);
    else if (place === "doubtful" && item.kind === "candidate") {
      ordered.push({ kind: "doubtful", candidate: item.candidate });
    } else if (typeof place === "number") upTo(Math.max(place, beforePlace(at + 1)));
  }
  upTo(last);
  return ordered;
}

/** The number of the entry that a candidate is a copy of; undefined when it is one of some other. */
function placeOf<Parsed>(
  item: Item<Parsed>,
  late: readonly Entry[],
  explained: Set<Entry>,
): number | "own" | "doubtful" | undefined {
  if (item.kind === "parsed") return "own";
  const { text, isAlone, hasTail } = item.candidate;
  const same = late.find((entry) => entry.text === text);
  if (same) return same.number;
  const isWhole = isAlone && !hasTail && WHOLE.test(text) && !KERNEL_STAMP.test(text);
  // Noise may have put the tail into the next line. One such copy an entry: the others are other cases' results.
  const near = late.find(
    (entry) => !(isWhole && explained.has(entry)) && isNearly(text, entry.text),
  );
  if (near) explained.add(near);
  if (near) return near.number;
  if (isWhole || (late.length === 0 && !hasTail)) return "own";
  // With something else in its line, where others came damaged, it may be any of those: what it says may be noise.
  return hasTail ? undefined : "doubtful";
}

/** A signal with nothing in it that others print. */
const WHOLE = /^<LAVA_\w+ [^<>\r\n]*>$/;
const KERNEL_STAMP = /\[ *\d+\.\d{3,6}\]|<\d>/;

/** Of two texts, the shorter one, so much must be the same at both ends. */
const NEARLY = 0.9;

function isNearly(one: string, other: string): boolean {
  const length = Math.min(one.length, other.length);
  let head = 0;
  while (head < length && one[head] === other[head]) head++;
  let tail = 0;
  while (tail < length - head && one.at(-1 - tail) === other.at(-1 - tail)) tail++;
  return head + tail >= NEARLY * length;
}
