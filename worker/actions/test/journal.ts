import {
  journalOk,
  journalWant,
  MAX_WANTED,
  type JournalLine,
  type JournalWord,
} from "./journal-lines.ts";
import { inOrder, type Candidate, type Doubtful, type Entry, type Item } from "./journal-order.ts";

/** In the order in which things happened on the DUT. */
export type Delivery<Parsed> =
  /** An entry, or (without a number) a signal that a test printed itself. */
  | {
      readonly kind: "signal";
      readonly text: string;
      readonly logLine: number;
      readonly number?: number;
    }
  | { readonly kind: "parsed"; readonly parsed: Parsed }
  /** The DUT had it, and it can't be read any more. */
  | { readonly kind: "lost"; readonly number: number }
  /** What looks like a signal, and may be a damaged copy of another one. */
  | { readonly kind: "dropped"; readonly text: string; readonly logLine: number };

/** What came, at its place. `upTo`: an entry in its own time, or else the DUT's word that it has no more than that. */
type Waiting<Parsed> =
  | Item<Parsed>
  | { readonly kind: "upTo"; readonly number: number; readonly isEntry: boolean };

/** More is not kept for the sake of an entry that doesn't come. */
const MAX_WAITING = 5_000;
/** An entry that is further ahead of those that are here was not said by the journal: a test can print what it likes. */
const MAX_AHEAD = 100_000;
/** Of those that were asked for, so many are compared with what may be their copies. */
const MAX_LATE = 1_000;
/** Copies of an entry that was asked for may come for so many entries more. */
const COPIES_UP_TO = 20;
/** An entry that was asked for so often is not in the DUT's journal. */
const MAX_ASKED = 100;

/**
 * What of a journal (docs/journal.md) has arrived: takes the console's lines as they come and gives them back in the
 * order of the DUT, each entry once. Knows what to ask for. Nothing in here waits or types.
 */
export class Journal<Parsed> {
  #id: string | undefined;
  #polls = false;
  /** The entry to be delivered next. */
  #next = 1;
  /** The last entry that the DUT is known to have: what comes of those before it was asked for. */
  #last = 0;
  readonly #entries = new Map<number, Entry | "lost">();
  /** Those up to the last one that are neither here nor lost, in their order. */
  readonly #missing = new Set<number>();
  #lastMissing = 0;
  #waiting: Waiting<Parsed>[] = [];
  /** The last entries that were asked for: more copies of them may come. */
  #late: (Entry & { readonly copiesUpTo: number })[] = [];
  readonly #asked = new Map<number, number>();
  /** The last entry when one was given up: until the next one what comes may be copies of it, which nobody can tell. */
  #gaveUpAt: number | undefined;

  /** Of the run of lava-test-runner that keeps it; undefined as long as the DUT has not said that it keeps one. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Whether the DUT looks for questions in the middle of a definition. */
  get polls(): boolean {
    return this.#polls;
  }

  /** The last entry that the DUT is known to have; 0 for none. */
  get last(): number {
    return this.#last;
  }

  /** The first entry that was not delivered. */
  get next(): number {
    return this.#next;
  }

  /** Entries that the DUT has and we have not. */
  get missing(): ReadonlySet<number> {
    return this.#missing;
  }

  /** The last entry that is, or was, missing while others are. */
  get lastMissing(): number | undefined {
    return this.#missing.size > 0 ? this.#lastMissing : undefined;
  }

  /** An intact entry; what stands before one that was mended may be pieces of it. */
  entry(
    { id, number, text }: JournalLine,
    logLine: number,
    { isMended = false } = {},
  ): Delivery<Parsed>[] {
    // Something of an earlier stage, left in the background, reports too.
    if (id !== this.#id || number >= this.#next + MAX_AHEAD) {
      return this.candidate({ text, logLine, isAlone: true, hasTail: false });
    }
    const entry = { number, text, logLine };
    if (number > this.#last) {
      this.#known(number - 1);
      this.#last = number;
      this.#waiting.push({ kind: "upTo", number, isEntry: true });
      if (isMended) this.#remember(entry);
    } else {
      if (!this.#missing.has(number)) return [];
      this.#remember(entry);
    }
    this.#missing.delete(number);
    this.#entries.set(number, entry);
    const deliveries = this.#bounded(this.#settle());
    if (this.#waiting.length === 0) {
      this.#late = this.#late.filter(({ copiesUpTo }) => copiesUpTo >= this.#last);
    }
    return deliveries;
  }

  /** Something that came may be a damaged copy of this one. */
  #remember(entry: Entry): void {
    this.#late.push({ ...entry, copiesUpTo: this.#last + COPIES_UP_TO });
    if (this.#late.length > MAX_LATE) this.#late.shift();
  }

  /** What may be a signal of a test's own. */
  candidate(candidate: Candidate): Delivery<Parsed>[] {
    const { text, logLine } = candidate;
    if (this.#id === undefined) return [{ kind: "signal", text, logLine }];
    if (this.#gaveUpAt === this.#last) return [{ kind: "dropped", text, logLine }];
    return this.#wait({ kind: "candidate", candidate });
  }

  /** A match of the definition's own pattern. */
  parsed(parsed: Parsed): Delivery<Parsed>[] {
    if (this.#waiting.length === 0) return [{ kind: "parsed", parsed }];
    return this.#wait({ kind: "parsed", parsed });
  }

  /** The DUT waits, and says what its journal ends with: the deliveries come first, then the answer is typed. */
  told(
    word: JournalWord,
    { id, number }: JournalLine,
  ): { deliveries: Delivery<Parsed>[]; answer: string | undefined } {
    if (word.startsWith("STARTS")) {
      this.#id ??= id;
      this.#polls = word === "STARTS POLLS";
    }
    const isOurs = id === this.#id && number < this.#next + MAX_AHEAD;
    if (!isOurs || word === "DONE") return { deliveries: [], answer: undefined };
    this.#known(number);
    this.#waiting.push({ kind: "upTo", number: this.#last, isEntry: false });
    for (const [one, times] of this.#asked) {
      if (times < MAX_ASKED) continue;
      this.#lose(one);
      this.#gaveUpAt = this.#last;
    }
    const deliveries = this.#settle();
    return { deliveries, answer: this.want() ?? journalOk(id, number) };
  }

  /** The line that asks for what is missing; undefined when nothing is. */
  want(): string | undefined {
    const wanted = [...this.#missing].slice(0, MAX_WANTED);
    if (wanted.length === 0 || this.#id === undefined) return undefined;
    for (const number of wanted) this.#asked.set(number, (this.#asked.get(number) ?? 0) + 1);
    return journalWant(this.#id, wanted);
  }

  /** Nothing more will come: what arrived intact stands, what is missing is lost. */
  close(): Delivery<Parsed>[] {
    return [...this.#giveUp(), ...this.#waiting.splice(0).flatMap(itself)];
  }

  #wait(item: Item<Parsed>): Delivery<Parsed>[] {
    this.#waiting.push(item);
    return this.#bounded([]);
  }

  #bounded(deliveries: Delivery<Parsed>[]): Delivery<Parsed>[] {
    if (this.#waiting.length < MAX_WAITING) return deliveries;
    return [...deliveries, ...this.#giveUp(), ...this.#waiting.splice(0).flatMap(itself)];
  }

  #giveUp(): Delivery<Parsed>[] {
    for (const number of this.#missing) this.#lose(number);
    return this.#settle();
  }

  /** The DUT has entries up to this one. */
  #known(last: number): void {
    if (this.#last < last) this.#lastMissing = last;
    while (this.#last < last) this.#missing.add(++this.#last);
  }

  #lose(number: number): void {
    if (this.#missing.delete(number)) this.#entries.set(number, "lost");
  }

  /** What can be delivered: all up to the last place before which nothing is missing. */
  #settle(): Delivery<Parsed>[] {
    const deliveries: Delivery<Parsed>[] = [];
    let missing = this.#next;
    while (this.#entries.has(missing)) missing++;
    let items: Item<Parsed>[] = [];
    let done = 0;
    for (const [at, item] of this.#waiting.entries()) {
      if (item.kind !== "upTo") items.push(item);
      else if (item.number >= missing) break;
      else {
        const range = { first: this.#next, last: item.number, lastInPlace: item.isEntry };
        deliveries.push(...this.#deliver(inOrder(items, range, this.#late)));
        items = [];
        done = at + 1;
      }
    }
    this.#waiting.splice(0, done);
    return deliveries;
  }

  /** What stands beside something lost may be a damaged copy of it: that would be a guess. */
  #deliver(ordered: readonly (number | Item<Parsed> | Doubtful)[]): Delivery<Parsed>[] {
    const isLossy = ordered.some(
      (one) => typeof one === "number" && this.#entries.get(one) === "lost",
    );
    return ordered.map((one) => {
      if (typeof one === "number") return this.#taken(one);
      if (one.kind === "parsed") return one;
      const { text, logLine } = one.candidate;
      const isDropped = isLossy || one.kind === "doubtful";
      return { kind: isDropped ? "dropped" : "signal", text, logLine };
    });
  }

  #taken(number: number): Delivery<Parsed> {
    const entry = this.#entries.get(number);
    this.#entries.delete(number);
    this.#asked.delete(number);
    this.#next = number + 1;
    if (entry === undefined || entry === "lost") return { kind: "lost", number };
    return { kind: "signal", ...entry };
  }
}

/** What came with nothing missing before it, and nothing known after it: only what has its line for itself is certain. */
function itself<Parsed>(item: Waiting<Parsed>): Delivery<Parsed>[] {
  if (item.kind === "upTo") return [];
  if (item.kind === "parsed") return [item];
  const { text, logLine, isAlone, hasTail } = item.candidate;
  if (hasTail) return [];
  return [{ kind: isAlone ? "signal" : "dropped", text, logLine }];
}
