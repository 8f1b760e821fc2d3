import type { LogLevel } from "#protocol/log-record.ts";
import { LEVEL_NAMES } from "#protocol/log-text.ts";
import { failedAction, failureLineOf, type TimelineAction } from "../timeline.ts";
import type { LogNews } from "./log-messages.ts";
import { foldedRanges, sectionsOf, type LogSection } from "./log-sections.ts";

/**
 * What the page knows of every line of the log, some bytes each, and which of them are shown: the rows. Lines and rows count
 * from 0.
 */
export class LogIndex {
  /** Line after the last. */
  next = 0;
  rowCount = 0;
  isComplete = false;
  /** By their first lines. */
  sections: ReadonlyMap<number, LogSection> = new Map();
  /** First lines of the sections that are folded. */
  readonly folded = new Set<number>();
  /** How many lines each level has, in the order of LEVEL_NAMES. */
  readonly counts: number[] = LEVEL_NAMES.map(() => 0);
  #levels = new Uint8Array(1024);
  #lengths = new Uint16Array(1024);
  #rows = new Uint32Array(1024);
  #shown = new Set(LEVEL_NAMES.keys());
  /** Lines that are shown though their levels are not: somebody went to them. */
  readonly #revealed = new Set<number>();
  #actions: readonly TimelineAction[] = [];
  #firstError: number | undefined;

  /** Takes in what has arrived. Rows are only added, unless something is folded and there is news of the actions. */
  add({ first, levels, lengths, actions, complete }: LogNews): void {
    this.#levels = grown(this.#levels, first + levels.length);
    this.#lengths = grown(this.#lengths, first + levels.length);
    this.#levels.set(levels, first);
    this.#lengths.set(lengths, first);
    this.next = first + levels.length;
    this.isComplete = complete;
    for (const [n, level] of levels.entries()) {
      this.counts[level] = (this.counts[level] ?? 0) + 1;
      if (isError(level)) this.#firstError ??= first + n;
    }
    if (actions) {
      this.#actions = actions;
      this.sections = sectionsOf(actions);
      if (this.folded.size > 0) return this.#rebuild();
    }
    this.#appendFrom(first);
  }

  /** The lines of these rows. */
  lines(fromRow: number, toRow: number): Uint32Array {
    return this.#rows.slice(fromRow, Math.min(toRow, this.rowCount));
  }

  /** The row of a line, or the one where it would be. */
  rowOf(line: number): number {
    let [low, high] = [0, this.rowCount];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle] ?? 0) < line) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Characters that are shown of a row's line. */
  lengthOf = (row: number): number => this.#lengths[this.#rows[row] ?? 0] ?? 0;

  isLevelShown = (line: number): boolean => this.#shown.has(this.#levels[line] ?? 0);

  showLevels(levels: readonly LogLevel[]): void {
    this.#shown = new Set(levels.map((level) => LEVEL_NAMES.indexOf(level)));
    this.#revealed.clear();
    this.#rebuild();
  }

  /** Folds or unfolds the section that begins at a line. */
  fold(line: number, isFolded: boolean): void {
    if (isFolded) this.folded.add(line);
    else this.folded.delete(line);
    this.#rebuild();
  }

  /** With `false`, unfolds everything; else leaves one line of each top-level action. */
  foldAll(isFolded: boolean): void {
    this.folded.clear();
    if (isFolded) for (const line of this.sections.keys()) this.folded.add(line);
    this.#rebuild();
  }

  /** Makes sure that a line is a row; true when other rows have changed for it. */
  reveal(line: number): boolean {
    const around = [...this.folded].filter(
      (first) => first < line && line <= (this.sections.get(first)?.last ?? -1),
    );
    for (const first of around) this.folded.delete(first);
    const isHidden = !this.#isWanted(line);
    if (isHidden) this.#revealed.add(line);
    if (around.length === 0 && !isHidden) return false;
    this.#rebuild();
    return true;
  }

  /** The line to look at first when the job went wrong: where an action failed, else the first error. */
  failureLine(): number | undefined {
    const action = failedAction({ next: this.next, lastTime: 0, actions: this.#actions });
    return action ? failureLineOf(action) : this.#firstError;
  }

  #isWanted(line: number): boolean {
    return this.isLevelShown(line) || this.sections.has(line) || this.#revealed.has(line);
  }

  #rebuild(): void {
    this.rowCount = 0;
    this.#appendFrom(0);
  }

  #appendFrom(first: number): void {
    this.#rows = grown(this.#rows, this.rowCount + this.next - first);
    const ranges = foldedRanges(this.sections, this.folded);
    let at = 0;
    for (let line = first; line < this.next; line++) {
      while ((ranges[at]?.to ?? Infinity) < line) at += 1;
      if ((ranges[at]?.from ?? Infinity) <= line) continue;
      if (this.#isWanted(line)) this.#rows[this.rowCount++] = line;
    }
  }
}

const isError = (level: number): boolean =>
  LEVEL_NAMES[level] === "error" || LEVEL_NAMES[level] === "exception";

/** The array, or a larger one with the same content. */
function grown<A extends Uint8Array | Uint16Array | Uint32Array>(array: A, size: number): A {
  if (size <= array.length) return array;
  const larger = new (array.constructor as new (size: number) => A)(
    Math.max(size, 2 * array.length),
  );
  larger.set(array);
  return larger;
}
