import { clipped, isDump, SPEAKER, type KernelText } from "./kernel-text.ts";
import type { ReportHead } from "./report-heads.ts";

/** What a kernel in trouble said. */
export interface KernelReport {
  /** LAVA's names where it has one: `panic`, `oops`, `bug`, `warning`, `kasan` ... */
  readonly kind: string;
  /** The line that says what happened, without prefixes. */
  readonly message: string;
  /** As they came; at most 100, each at most 200 characters. */
  readonly lines: readonly string[];
  /** How many more lines there were. */
  readonly omittedLines: number;
  /** Numbers, in the job's log. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** Its end never came. */
  readonly cut: boolean;
  /** What it was recognised by. */
  readonly pattern: string;
}

const MAX_LINES = 100;
const MAX_OWN_LINES = 2000;
/** A line or two stand between a cut and what it is about. */
const MAX_WORDS = 3;
/** What goes on after more lines than these that look like no dump is something else. */
const MAX_STRANGERS = 2;

/** A report whose end has not come yet. */
export class OpenReport {
  readonly firstRaw: string;
  /** Number of the console's line that had its last text; for who keeps it. */
  lastSeen = 0;
  cpu: string | undefined;
  /** Whether a line with its CPU has come. */
  hasSpoken = false;
  #hasDump = false;
  #strangers = 0;
  readonly #caller: string | undefined;
  readonly #hasClock: boolean;
  readonly #firstLine: number;
  #lastLine: number;
  #head: ReportHead;
  #message: string;
  readonly #lines: string[] = [];
  #count = 0;
  #isNamed = false;
  #isDead = false;

  constructor(
    head: ReportHead,
    text: KernelText,
    at: { logLine: number; cpu: string | undefined },
  ) {
    this.#head = head;
    this.#message = clipped(text.text);
    this.#caller = text.caller;
    this.#hasClock = text.seconds !== undefined;
    this.#firstLine = this.#lastLine = at.logLine;
    this.cpu = at.cpu;
    this.firstRaw = text.raw;
    this.#isDead = head.role === "death";
    this.#isNamed = head.role !== "frame";
    this.append(text, at.logLine);
    this.#hasDump = false;
  }

  /** A cut came, and what it is about has not. */
  get isUndecided(): boolean {
    return this.#head.role === "frame";
  }

  get awaitsWords(): boolean {
    return this.isUndecided && this.#count <= MAX_WORDS;
  }

  /** Kernels that stop at a corrupted list say so before the cut. */
  get awaitsFrame(): boolean {
    return this.#head.kind === "list-corruption" && this.#count === 1;
  }

  /** The cause of an oops, whose own line is to come. */
  get awaitsDeath(): boolean {
    return !this.#isDead && !this.isUndecided && this.hasEnd && CAUSES.has(this.#head.kind);
  }

  get takesCpu(): boolean {
    return this.cpu === undefined && !this.isUndecided;
  }

  /** Whether its kind has a last line. */
  get hasEnd(): boolean {
    return this.#head.end !== undefined;
  }

  get isTooLong(): boolean {
    return this.#count > MAX_OWN_LINES;
  }

  /** Whether a line behind its dump looks like none; a few may stand within. */
  isStranger(text: string): boolean {
    if (!this.#hasDump || isDump(text)) return false;
    this.#strangers++;
    return true;
  }

  get isOver(): boolean {
    return this.#strangers > MAX_STRANGERS;
  }

  isEnd(text: string): boolean {
    return this.#head.end?.test(text) === true;
  }

  /** Whether it may have a text from there: of the same caller, and with a clock when it has one itself. */
  mayHave({ caller, seconds }: KernelText): boolean {
    return this.#caller === caller && this.#hasClock === (seconds !== undefined);
  }

  /** A further head tells what it is about; the first detail that does names it. */
  decide(head: ReportHead, { text }: KernelText, cpu: string | undefined): void {
    this.cpu ??= cpu;
    if (head.role === "death") this.#isDead = true;
    if (head.role === "frame") {
      // The frame of a list's corruption: what was wrong stays its name.
      this.#head = { ...head, kind: this.#head.kind };
      return;
    }
    if (!this.isUndecided) return;
    if (!this.#isNamed) this.#message = clipped(text);
    const kind = this.#isNamed ? this.#head.kind : head.kind;
    this.#isNamed = true;
    // These are said in words, behind which the line with the CPU is still to come.
    const isWords = WORDS.has(head.kind);
    this.#head = isWords ? { ...this.#head, kind } : { ...head, kind };
  }

  append({ text, raw }: KernelText, logLine: number): void {
    this.#count++;
    this.#lastLine = logLine;
    const { dumpFrom } = this.#head;
    this.#strangers = 0;
    this.hasSpoken ||= SPEAKER.test(text);
    this.#hasDump ||= dumpFrom ? dumpFrom.test(text) : isDump(text) && text.trim() !== "";
    if (this.#lines.length < MAX_LINES) this.#lines.push(clipped(raw));
  }

  /** As far as it has come. */
  report(cut = false): KernelReport {
    return {
      kind: this.#head.kind,
      message: this.#message,
      lines: [...this.#lines],
      omittedLines: this.#count - this.#lines.length,
      firstLine: this.#firstLine,
      lastLine: this.#lastLine,
      cut,
      pattern: this.#head.start.source,
    };
  }
}

const CAUSES: ReadonlySet<string> = new Set(["oops", "fault", "bug", "list-corruption"]);
const WORDS: ReadonlySet<string> = new Set(["list-corruption", "refcount"]);
