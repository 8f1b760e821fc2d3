import { FoundMatches, type Match, type Place } from "./found-matches.ts";
import type { LogBlock, LogQueryText, ToSearchWorker } from "./log-messages.ts";
import { BLOCK_LINES } from "./log-store.ts";

/** The longest that one block may take: an expression can need more time than there is. */
const MAX_BLOCK_MS = 4000;
/** Matches that are kept, 12 bytes each. */
const MOST_FOUND = 4_000_000;

export interface LogSearchOptions {
  /** Address of log-search-worker.ts. */
  url: string;
  block: (number: number) => Promise<LogBlock | undefined>;
  /** Line after the last that there is. */
  next: () => number;
  isLevelShown: (line: number) => boolean;
  /** Called when there is more, or nothing more, to say. */
  onChange(): void;
}

/** Finds a text in the whole log, each place of it, block by block; what arrives later is searched as well. Lines count from 0. */
export class LogSearch {
  query: LogQueryText | undefined;
  /** What is wrong with the expression. */
  problem: string | undefined;
  /** Line up to which everything is searched. */
  searched = 0;
  readonly #options: LogSearchOptions;
  #worker: Worker | undefined;
  readonly #found = new FoundMatches();
  #run = 0;

  constructor(options: LogSearchOptions) {
    this.#options = options;
  }

  /** Searches anew; with no text, for nothing. */
  begin(query: LogQueryText): void {
    this.end();
    if (query.text === "") return this.#options.onChange();
    try {
      if (query.isRegex) new RegExp(query.text);
      this.query = query;
      void this.more();
    } catch {
      this.problem = "not a regular expression";
    }
    this.#options.onChange();
  }

  /** There are more matches than are kept: the rest of the log is not searched. */
  get isFull(): boolean {
    return this.#found.count >= MOST_FOUND;
  }

  /** Nothing is left to be searched now. */
  get isAll(): boolean {
    return this.isFull || this.searched >= this.#options.next();
  }

  /** Forgets what was found. */
  end(): void {
    this.#run += 1;
    this.#worker?.terminate();
    this.#worker = this.query = this.problem = undefined;
    this.searched = 0;
    this.#found.clear();
  }

  /** Searches what was not searched yet. */
  async more(): Promise<void> {
    const { query } = this;
    if (!query || this.problem || this.#worker || this.isFull) return;
    const run = this.#run;
    const worker = new Worker(this.#options.url, { type: "module" });
    this.#worker = worker;
    while (this.searched < this.#options.next() && !this.isFull) {
      const next = this.#options.next();
      const number = Math.floor(this.searched / BLOCK_LINES);
      const block = await this.#options.block(number);
      const found = block && run === this.#run ? await ask(worker, { block, query }) : undefined;
      if (run !== this.#run) return;
      if (!found) {
        this.problem = block ? "this takes too long" : "the log cannot be read now";
        break;
      }
      const end = Math.min(next, (number + 1) * BLOCK_LINES);
      this.#found.add(found, this.searched, end);
      this.searched = end;
      this.#options.onChange();
    }
    worker.terminate();
    this.#worker = undefined;
    this.#options.onChange();
  }

  /** How many matches are in lines of levels that are shown, and of others, and the how manyth of the shown is at a place. */
  counts(at: Place | undefined): { shown: number; hidden: number; place: number } {
    let [shown, hidden, place] = [0, 0, 0];
    const current = at ? this.#found.indexOf(at) : -1;
    for (let n = 0; n < this.#found.count; n++) {
      const isShown = this.#options.isLevelShown(this.#found.lineAt(n));
      if (isShown) shown += 1;
      else hidden += 1;
      if (isShown && n === current) place = shown;
    }
    return { shown, hidden, place };
  }

  /** The next match whose line's level is shown, round the log's end; backwards the last before the place, else the first after it. */
  next({ line, start }: Place, isBackwards: boolean): Match | undefined {
    const { count, lineAt, matchAt, indexOf } = this.#found;
    const step = isBackwards ? -1 : 1;
    const first = isBackwards ? indexOf({ line, start }) - 1 : indexOf({ line, start: start + 1 });
    for (let tried = 0; tried < count; tried++) {
      const n = (first + step * tried + 2 * count) % count;
      if (this.#options.isLevelShown(lineAt(n))) return matchAt(n);
    }
    return undefined;
  }

  /** Where in the line's text it was found. */
  matchesIn = (line: number): Match[] => this.#found.matchesIn(line);
}

/** What the worker finds in a block; undefined when it takes too long. */
const ask = (worker: Worker, message: ToSearchWorker): Promise<Uint32Array | undefined> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), MAX_BLOCK_MS);
    worker.onerror = () => resolve(undefined);
    worker.onmessage = ({ data }: MessageEvent<Uint32Array>) => {
      clearTimeout(timer);
      resolve(data);
    };
    worker.postMessage(message);
  });
