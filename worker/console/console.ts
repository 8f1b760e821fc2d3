import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import type { LogLevel } from "#protocol/log-record.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { SeenText } from "./seen-text.ts";
import { Transcript } from "./transcript.ts";
import type { Transport } from "./transport.ts";

export interface ConsoleOptions {
  /** Logs one line and says its number in the log. */
  readonly log: (level: LogLevel, text: string) => number;
}

export interface ExpectOptions {
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
  /** Leaves the match itself to be found again; what stands before it is consumed. */
  readonly keepMatch?: boolean;
  /** A match counts once its line has ended: it is whole then, and its line's number in the log is known. */
  readonly inLine?: boolean;
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
  #lastLogLine = 0;
  #ended: string | undefined;
  #wake: () => void = () => {};
  /** What ends a line that is typed; deployment data may say otherwise. */
  lineEnd = "\n";
  /** Milliseconds between characters that are typed (DISPATCHER.md 10.5). */
  characterDelayMs = 0;

  constructor(transport: Transport, options: ConsoleOptions) {
    this.#transport = transport;
    this.#log = options.log;
    this.#transcript = new Transcript((line) => (this.#lastLogLine = this.#log("target", line)));
    transport.onData((bytes) => this.#receive(this.#decoder.write(Buffer.from(bytes))));
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

  /** Characters received so far: grows with everything the DUT says. */
  get received(): number {
    return this.#seen.end;
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
    const awaited = Object.values<RegExp>(patterns).map(({ source }) => `/${source}/`);
    const tail = JSON.stringify(this.#seen.tail(200));
    const came = this.#seen.tail(1) === "" ? "nothing came" : `what came last: ${tail}`;
    throw new JobFailure(
      "Job",
      `wait for prompt timed out after ${options.timeoutSeconds} s: awaited ${awaited.join(", ")}; ${came}`,
    );
  }

  /** As `expect`, with undefined when the time is over. */
  async tryExpect<Name extends string>(
    patterns: Readonly<Record<Name, RegExp>>,
    options: ExpectOptions,
  ): Promise<Match<Name> | undefined> {
    const { timeoutSeconds, signal } = options;
    const deadline = Date.now() + timeoutSeconds * 1000;
    for (;;) {
      signal.throwIfAborted();
      const match = this.#find(patterns, options);
      if (match) return match;
      if (this.#ended !== undefined) {
        throw new JobFailure("Infrastructure", `Connection closed: ${this.#ended}`);
      }
      const left = deadline - Date.now();
      if (left <= 0) return undefined;
      await this.#more(left, signal);
    }
  }

  async send(text: string): Promise<void> {
    if (this.#ended !== undefined) {
      throw new JobFailure("Infrastructure", `Connection closed: ${this.#ended}`);
    }
    this.#log("input", text.replace(/[\r\n]+$/, ""));
    if (this.characterDelayMs === 0) return this.#write(text);
    for (const character of text) {
      await this.#write(character);
      await sleep(this.characterDelayMs);
    }
  }

  sendLine(text: string): Promise<void> {
    return this.send(text + this.lineEnd);
  }

  async close(): Promise<void> {
    await this.#transport.close();
    this.#transcript.flush();
  }

  async #write(text: string): Promise<void> {
    try {
      await this.#transport.write(Buffer.from(text, "utf8"));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new JobFailure("Infrastructure", `Connection closed: ${why}`, { cause });
    }
  }

  #receive(text: string): void {
    if (text === "") return;
    this.#transcript.add(text);
    const { start } = this.#seen;
    this.#seen.add(text);
    if (this.#seen.start > start) this.#transcript.forget(this.#seen.start);
    this.#wake();
  }

  #find<Name extends string>(
    patterns: Readonly<Record<Name, RegExp>>,
    { keepMatch = false, inLine = false }: ExpectOptions,
  ): Match<Name> | undefined {
    let name: Name | undefined;
    let first: ReturnType<SeenText["find"]>;
    for (const [candidate, pattern] of Object.entries(patterns) as [Name, RegExp][]) {
      const found = this.#seen.find(pattern, { inLine });
      if (found && (!first || found.start < first.start)) [name, first] = [candidate, found];
    }
    if (name === undefined || !first) return undefined;
    const match = {
      name,
      match: first.match,
      before: this.#seen.before(first.start),
      lineBefore: this.#seen.lineBefore(first.start),
      logLine: this.#transcript.lineAt(first.start) ?? this.#lastLogLine,
    };
    this.#seen.consume(keepMatch ? first.start : first.end);
    this.#transcript.forget(first.start);
    return match;
  }

  /** Resolves when more came, the connection ended or the time is over. */
  #more(timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(done, Math.min(timeoutMs, 2 ** 31 - 1));
      const stop = (): void => {
        done();
        reject(signal.reason as Error);
      };
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        this.#wake = () => {};
      };
      function done(): void {
        end();
        resolve();
      }
      this.#wake = done;
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
