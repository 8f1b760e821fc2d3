import type { RunContext } from "../../pipeline/action.ts";
import { groupSeconds, multinodeSettings, type Group } from "../../pipeline/group.ts";
import { CALL_SECONDS } from "../../pipeline/group-calls.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { answerLines, dutCall, type DutCall } from "./multinode-words.ts";
import type { SignalReader } from "./signal-reader.ts";

/** An answer that may have got lost is given again when the DUT asks again, but not more often than that. */
const AGAIN_MS = 900;
/** Helpers ask one after the other: an older answer is nobody's. */
const MAX_ANSWERS = 8;
/** More than any test has: a DUT that prints nothing else. */
const MAX_PENDING = 1000;

interface Question {
  readonly call: DutCall;
  /** Of the journal; a question without it is asked once only. */
  readonly entry: number | undefined;
  readonly record: (result: "pass" | "fail") => void;
}

/**
 * The questions of a stage to the job's group (MULTINODE.md 3): asked in the DUT's order while its console is read on. What there
 * is to be typed and to be recorded is done in `settle`, by who reads the console: nobody else types.
 */
export class MultinodeCalls {
  readonly #group: Group;
  readonly #context: RunContext;
  readonly #reader: SignalReader;
  readonly #timeoutSeconds: number;
  readonly #over = new AbortController();
  readonly #signal: AbortSignal;
  #news = new AbortController();
  #last: Promise<void> = Promise.resolve();
  #settled: (() => readonly string[])[] = [];
  /** By entry: what was typed, and when that was done; Infinity before. */
  readonly #answers = new Map<number, { lines: readonly string[]; at: number }>();
  #pending = 0;
  #isStopped = false;

  constructor(group: Group, context: RunContext, reader: SignalReader) {
    this.#group = group;
    this.#context = context;
    this.#reader = reader;
    const { timeout } = multinodeSettings(context.job.definition) ?? {};
    this.#timeoutSeconds = groupSeconds(timeout, CALL_SECONDS);
    this.#signal = AbortSignal.any([context.signal, this.#over.signal]);
  }

  /** Aborted as soon as there is something for `settle`. */
  get news(): AbortSignal {
    return this.#news.signal;
  }

  /** A call's time was over: as in LAVA the stage ends here, and the job goes on. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /**
   * Takes a question of the DUT; false when the text is none.
   *
   * @throws JobFailure Test before any STARTRUN.
   */
  take(text: string, entry?: number): boolean {
    const call = dutCall(text);
    if (!call) return false;
    const { log } = this.#context;
    const record = this.#reader.groupCall(call.caseName);
    if (this.#isStopped) return true;
    if (++this.#pending > MAX_PENDING) {
      const message = `more than ${MAX_PENDING} questions to the group wait to be asked`;
      throw new JobFailure("Test", message);
    }
    log.debug(`Received a multinode call: ${text} (timeout ${this.#timeoutSeconds} seconds)`);
    this.#last = this.#last.then(() => this.#ask({ call, entry, record }));
    return true;
  }

  /** The DUT repeats the question: its answer, if there is one, is typed again. */
  askedAgain(entry: number): readonly string[] {
    const answer = this.#answers.get(entry);
    if (!answer || performance.now() - answer.at < AGAIN_MS) return [];
    answer.at = Infinity;
    return answer.lines;
  }

  /**
   * Types answers. On a slow line that takes long, and the DUT asks on meanwhile: only what it asks afterwards says that something
   * was lost. More would be read by the test that comes next.
   */
  async typeAll(lines: readonly string[], type: (line: string) => Promise<void>): Promise<void> {
    for (const line of lines) await type(line);
    const now = performance.now();
    for (const answer of this.#answers.values()) if (answer.at === Infinity) answer.at = now;
  }

  /**
   * Records what was answered since, and says what is to be typed.
   *
   * @throws JobFailure Test for a message that was refused; what a call threw.
   */
  settle(): string[] {
    this.#news = new AbortController();
    return this.#settled.splice(0).flatMap((one) => one());
  }

  /** Waits until all questions were asked, such as the last messages of a stage that is over. */
  async drain(): Promise<void> {
    await this.#last;
    this.settle();
  }

  /** Nobody waits for answers any more. */
  close(): void {
    this.#over.abort(new JobFailure("Bug", "the stage is over"));
  }

  async #ask(question: Question): Promise<void> {
    const { log } = this.#context;
    let settled: () => readonly string[];
    try {
      // What a DUT asks behind a call that timed out is asked of nobody.
      if (this.#isStopped) settled = () => [];
      else {
        const options = { timeoutSeconds: this.#timeoutSeconds, signal: this.#signal, log };
        const answer = await this.#group.call(question.call.call, options);
        if (answer.kind === "timeout") this.#isStopped = true;
        settled = () => this.#answered(question, answer);
      }
    } catch (error) {
      settled = () => {
        throw error;
      };
    }
    this.#pending -= 1;
    this.#settled.push(settled);
    this.#news.abort();
  }

  #answered(
    { call, entry, record }: Question,
    answer: Awaited<ReturnType<Group["call"]>>,
  ): string[] {
    const { log } = this.#context;
    const { word, caseName } = call;
    if (answer.kind === "timeout") {
      log.error(`${caseName} timed out after ${this.#timeoutSeconds} seconds`);
      record("fail");
    } else if (answer.kind === "nack" && word === "SEND") {
      throw new JobFailure("Test", `${caseName}: ${answer.message}`);
    } else record("pass");
    if (answer.kind === "nack") log.warning(`${caseName}: ${answer.message}`);
    if (word === "SEND") return [];
    const lines = answerLines(word, answer, entry);
    if (entry !== undefined) this.#answers.set(entry, { lines, at: Infinity });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MAX_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
    return lines;
  }
}
