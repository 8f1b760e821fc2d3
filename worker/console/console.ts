import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogLevel } from "#protocol/log-record.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { arm, findFirst, type Armed } from "./armed.ts";
import { SeenText } from "./seen-text.ts";
import { Transcript, type LineWatcher } from "./transcript.ts";
import type { Transport } from "./transport.ts";
import {
  closedFailure,
  explain,
  inWords,
  lastWords,
  timedOutFailure,
  type Death,
  type Situation,
} from "./wait-failures.ts";

/** Of what a DUT said last, in a message. */
const LAST_WORDS_CHARS = 300;
/** Longer text is looked at in pieces: what is awaited is found before anything is forgotten. */
const PIECE_CHARS = 64 * 1024;
/** More than what a line gives when a board is plugged or unplugged. */
const SPEECH = /[^\s\0\uFFFD]/;

export interface ConsoleOptions {
  /** Logs one line and says its number in the log. */
  readonly log: (level: LogLevel, text: string) => number;
  /** Logs lines of the DUT that came together, and says the number of each; as `log` does, one by one, unless given. */
  readonly logLines?: (lines: readonly string[]) => readonly number[];
}

export interface ExpectOptions {
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  /** Leaves the match itself to be found again; what stands before it is consumed. */
  readonly keepMatch?: boolean;
  /**
   * A match counts once its line has ended: it is whole then, and its line's number in the log is known. Of the named
   * patterns only, when there are names.
   */
  readonly inLine?: boolean | readonly string[];
  /** Gives up early (`tryExpect`): once something came behind offset `since` and nothing more for `ms`, or the end. */
  readonly quiet?: { readonly ms: number; readonly since: number };
  /** Gives up early (`tryExpect`), as when the time is over. */
  readonly giveUp?: AbortSignal;
  /** What a failure says was awaited, in this order; all patterns unless given. */
  readonly awaited?: Readonly<Record<string, RegExp>>;
}

export interface Match<Name extends string> {
  readonly name: Name;
  readonly match: RegExpExecArray;
  /** What came before the match, since the last one. */
  readonly before: string;
  /** What stands in the match's own line before it. */
  readonly lineBefore: string;
  /** Number, in the log, of the line that has the match; of the last one when it has not ended yet. */
  readonly logLine: number;
}

/** A DUT's console: waits for patterns by name, types, and writes everything into the log. */
export class Console {
  readonly #transport: Transport;
  readonly #log: ConsoleOptions["log"];
  readonly #transcript: Transcript;
  readonly #seen = new SeenText();
  readonly #decoder = new StringDecoder("utf8");
  #lastLogLine: number | undefined;
  #receivedAt = performance.now();
  #hasSpoken = false;
  #ended: string | undefined;
  #wake: () => void = () => {};
  /** Lets whoever waits look for its patterns before more comes. */
  #look: () => void = () => {};
  /** What ends a line that is typed; deployment data may say otherwise. */
  lineEnd = "\n";
  /** Milliseconds between characters that are typed (DISPATCHER.md 10.5). */
  characterDelayMs = 0;

  /** Counts who begins to type: only the last one goes on. */
  #typist = 0;

  /** Whoever listens to the kernel says here what killed it since the DUT's last start: a console that closes then is no fault of the lab's. */
  causeOfDeath: () => Death | undefined = () => undefined;

  readonly #lineWatchers = new Set<LineWatcher>();

  #lentTo: ((bytes: Uint8Array) => void) | undefined;
  #isLentWhole = false;

  constructor(transport: Transport, options: ConsoleOptions) {
    this.#transport = transport;
    this.#log = options.log;
    const { logLines = (lines) => lines.map((line) => options.log("target", line)) } = options;
    this.#transcript = new Transcript((lines, plain) => {
      const numbers = logLines(lines);
      this.#lastLogLine = numbers.at(-1);
      for (const watch of this.#lineWatchers) watch(plain, numbers);
      return numbers;
    });
    transport.onData((bytes) => {
      this.#lentTo?.(bytes);
      if (!this.#isLentWhole) this.#receive(this.#decoder.write(Buffer.from(bytes)));
    });
    transport.onEnd((why) => {
      this.#receive(this.#decoder.end());
      this.#transcript.flush();
      // The end of the connection ends its last line.
      this.#seen.add("\n");
      this.#ended = why;
      this.#wake();
    });
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** Nothing was said since the connection was opened, or since the DUT's last start. What a plug's spark adds is nothing. */
  get isSilent(): boolean {
    return !this.#hasSpoken;
  }

  /** The DUT is powered on or reset now: it has said nothing yet. */
  restarts(): void {
    this.#hasSpoken = false;
  }

  /** Characters received so far: grows with everything the DUT says. */
  get received(): number {
    return this.#seen.end;
  }

  /** Offset, counted as `received`, up to which all is consumed. */
  get consumed(): number {
    return this.#seen.start;
  }

  /** Milliseconds since the DUT last said something, or the console was opened. */
  get silentMs(): number {
    return performance.now() - this.#receivedAt;
  }

  /** Number, in the log, of the last line that ended. */
  get lastLogLine(): number {
    return this.#lastLogLine ?? 0;
  }

  /** What came since an offset, consumed or not; of long text its end. */
  textSince(offset: number): string {
    return this.#seen.since(offset);
  }

  /** All that came is consumed: nobody looks for anything in it any more. */
  skip(): void {
    this.#seen.consume(this.#seen.end);
    this.#transcript.forget(this.#seen.end);
  }

  /**
   * Shows lines as they end, without terminal sequences and control characters, whoever waits for what; ends with what
   * is returned.
   */
  watchLines(watch: LineWatcher): () => void {
    this.#lineWatchers.add(watch);
    return () => void this.#lineWatchers.delete(watch);
  }

  /**
   * Waits until one of the patterns (flag g) is seen; the one that begins first wins, of those at the
   * same place the one named first. What was seen up to its end is consumed.
   *
   * @throws JobFailure Job when the time is over, Infrastructure when the connection ends; the
   * signal's reason when aborted. One wait at a time.
   */
  async expect<Name extends string>(
    patterns: Readonly<Record<Name, RegExp>>,
    options: ExpectOptions,
  ): Promise<Match<Name>> {
    const found = await this.tryExpect(patterns, options);
    if (found) return found;
    throw this.timedOut(patterns, options.timeoutSeconds);
  }

  /** The failure of a wait whose time is over: what was awaited, and what came last instead. */
  timedOut(patterns: Readonly<Record<string, RegExp>>, seconds: number): JobFailure {
    return timedOutFailure(this.#situation(), patterns, seconds);
  }

  /** As `expect`, with undefined when the time is over. */
  async tryExpect<Name extends string>(
    patterns: Readonly<Record<Name, RegExp>>,
    options: ExpectOptions,
  ): Promise<Match<Name> | undefined> {
    const { timeoutSeconds, signal } = options;
    const deadline = performance.now() + timeoutSeconds * 1000;
    let early: Match<Name> | undefined;
    const armed = arm(patterns, options.inLine);
    const look = (): Match<Name> | undefined => (early ??= this.#find(armed, options));
    for (;;) {
      if (signal.aborted) {
        const situation = this.#situation();
        const { awaited = patterns } = options;
        this.#log("debug", `waited in vain: ${inWords(situation, awaited)}`);
        explain(signal.reason, situation, awaited);
        signal.throwIfAborted();
      }
      const match = look();
      if (match) return match;
      const quietMs = this.#quietMs(options.quiet);
      if (quietMs <= 0 || options.giveUp?.aborted) return undefined;
      if (this.#ended !== undefined) {
        const situation = this.#situation();
        throw closedFailure(situation, this.#ended + lastWords(situation));
      }
      const left = deadline - performance.now();
      if (left <= 0) return undefined;
      const signals = options.giveUp ? [signal, options.giveUp] : [signal];
      await this.#more(Math.min(left, quietMs), signals, look);
    }
  }

  /** How long it is until the DUT has been quiet for long enough. */
  #quietMs(quiet: ExpectOptions["quiet"]): number {
    if (!quiet || this.received <= quiet.since) return Infinity;
    return this.isOpen ? quiet.ms - this.silentMs : 0;
  }

  /** Types; the log has it, or what it is `shownAs`: nothing for an empty text. */
  async send(text: string, { shownAs = text } = {}): Promise<void> {
    if (this.#ended !== undefined) {
      throw closedFailure(this.#situation(), this.#ended);
    }
    if (shownAs !== "" || text === "") this.#log("input", shownAs.replace(/[\r\n]+$/, ""));
    const typist = ++this.#typist;
    if (this.characterDelayMs === 0) return this.#write(text);
    for (const character of text) {
      await this.#write(character);
      await sleep(this.characterDelayMs);
      // Whoever was given up in the middle of a line must not type into that of the next.
      if (typist !== this.#typist) throw new JobFailure("Bug", "two were typing at once");
    }
  }

  sendLine(text: string): Promise<void> {
    return this.send(text + this.lineEnd);
  }

  /** Ends a line that `send` has typed; the log has it already. */
  endLine(): Promise<void> {
    return this.#write(this.lineEnd);
  }

  /** Lends the line to a program with its own protocol: until `use` is done, nothing is logged or matched. Or, `beside` us, to a person. */
  async lend<T>(
    use: (line: Pick<Transport, "onData" | "write">) => Promise<T>,
    { beside = false } = {},
  ): Promise<T> {
    this.#isLentWhole = !beside;
    try {
      return await use({
        onData: (listener) => (this.#lentTo = listener),
        write: (bytes) => this.#transport.write(bytes),
      });
    } finally {
      this.#lentTo = undefined;
      this.#isLentWhole = false;
    }
  }

  async close(): Promise<void> {
    await this.#transport.close();
    this.#transcript.flush();
  }

  #situation(): Situation {
    return {
      tail: this.#seen.tail(LAST_WORDS_CHARS),
      lastLogLine: this.#lastLogLine,
      isSilent: this.isSilent,
      death: this.causeOfDeath(),
    };
  }

  async #write(text: string): Promise<void> {
    try {
      await this.#transport.write(Buffer.from(text, "utf8"));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw closedFailure(this.#situation(), why, cause);
    }
  }

  #receive(text: string): void {
    if (text === "") return;
    if (!this.#hasSpoken) this.#hasSpoken = SPEECH.test(text);
    this.#receivedAt = performance.now();
    for (let at = 0; at < text.length; at += PIECE_CHARS) {
      if (at > 0) this.#look();
      this.#take(text.length <= PIECE_CHARS ? text : text.slice(at, at + PIECE_CHARS));
    }
    this.#wake();
  }

  #take(text: string): void {
    this.#transcript.add(text);
    const { start } = this.#seen;
    this.#seen.add(text);
    if (this.#seen.start > start) this.#transcript.forget(this.#seen.start);
  }

  #find<Name extends string>(
    armed: readonly Armed<Name>[],
    { keepMatch = false }: ExpectOptions,
  ): Match<Name> | undefined {
    const first = findFirst(this.#seen, armed);
    if (!first) return undefined;
    const match = {
      name: first.name,
      match: first.match,
      before: this.#seen.before(first.start),
      lineBefore: this.#seen.lineBefore(first.start),
      logLine: this.#transcript.lineAt(first.start) ?? this.#lastLogLine ?? 0,
    };
    this.#seen.consume(keepMatch ? first.start : first.end);
    this.#transcript.forget(first.start);
    return match;
  }

  /** Resolves when more came, the connection ended, the time is over or the wait is to be given up. */
  #more(timeoutMs: number, signals: readonly AbortSignal[], look: () => void): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, Math.min(timeoutMs, 2 ** 31 - 1));
      const forget = (): void => {
        clearTimeout(timer);
        for (const signal of signals) signal.removeEventListener("abort", done);
        this.#wake = this.#look = () => {};
      };
      function done(): void {
        forget();
        resolve();
      }
      this.#wake = done;
      this.#look = () => {
        try {
          look();
        } catch {
          // A pattern that can't be searched for fails where somebody waits for it.
        }
      };
      for (const signal of signals) signal.addEventListener("abort", done, { once: true });
    });
  }
}
