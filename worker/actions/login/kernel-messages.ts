import type { BootBlock } from "#protocol/job-actions.ts";
import type { Console, Match } from "../../console/console.ts";
import { expectPrompt, PromptWait } from "../../console/prompt.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { kernelReportsOf } from "../../kernel/console-kernel.ts";
import { reportsAsExtra } from "../../kernel/kernel-record.ts";
import type { KernelReports } from "../../kernel/kernel-reports.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { forcePrompt } from "./force-prompt.ts";
import { KERNEL_PATTERNS, kindOf, type KernelPattern } from "./kernel-patterns.ts";

export interface KernelMessage {
  kind: string;
  message: string;
}

const FAILURE = "failure_message";

/** Waits for prompts and notices on the way what the kernel has to say (DISPATCHER.md 8 and 9). */
export class KernelWatch {
  readonly #context: RunContext;
  readonly #block: BootBlock;
  readonly #messages: KernelMessage[] = [];
  readonly #started = performance.now();
  #reports: KernelReports | undefined;
  #failed = false;

  constructor(context: RunContext, block: BootBlock) {
    this.#context = context;
    this.#block = block;
  }

  /** What the kernel had to say so far. */
  get messages(): readonly KernelMessage[] {
    return this.#messages;
  }

  /**
   * As `expectPrompt`, for the time that the action has, with prompts forced; `others` count wherever they stand.
   *
   * @param options `nudges`: a login or a shell is there, not a board that may take an empty line for something else.
   * @throws JobFailure Job for a kernel that died, or said what the job names as its failure.
   */
  async expect(
    console: Console,
    wanted: Record<string, RegExp>,
    others: Record<string, RegExp>,
    { nudges }: { readonly nudges: boolean },
  ): Promise<Match<string>> {
    this.#reports = kernelReportsOf(console);
    // For the tests that follow, too.
    this.#reports.isIgnoring = this.#isIgnoring;
    const { signal, log } = this.#context;
    const all = { ...others, ...this.#kernelPatterns(), ...this.#failurePattern() };
    const wait = new PromptWait(console, wanted, { signal, log, others: all, nudges });
    const found = await forcePrompt(this.#context, console, "login-action", (seconds) =>
      this.#tryExpect(console, wait, wanted, seconds),
    );
    if (found) return found;
    throw console.timedOut({ ...wanted, ...others }, this.#context.timeoutSeconds);
  }

  /**
   * Writes the `kernel-messages` record, also when there was nothing to tell: LAVA's list of messages, and in `reports` our
   * own, if any, which knows more kinds and where in the log they are.
   */
  report(): void {
    const { log, level } = this.#context;
    if (this.#isIgnoring) return;
    const taken = this.#reports?.take();
    const { extra: reports, ...omitted } = reportsAsExtra(taken ?? { reports: [], omitted: 0 });
    const ours = taken && taken.reports.length > 0 ? { reports, ...omitted } : {};
    log.result({
      definition: "lava",
      case: "kernel-messages",
      level,
      duration: ((performance.now() - this.#started) / 1000).toFixed(2),
      result: this.#failed ? "fail" : "pass",
      extra: { extra: this.#messages, ...ours },
    });
  }

  async #tryExpect(
    console: Console,
    wait: PromptWait,
    wanted: Record<string, RegExp>,
    seconds: number,
  ): Promise<Match<string> | undefined> {
    const ends = performance.now() + seconds * 1000;
    for (;;) {
      const left = (ends - performance.now()) / 1000;
      const found = await wait.within(left);
      if (!found) return undefined;
      if (found.name === FAILURE) this.#fail("custom-error", found.match[0], found);
      const kernel = KERNEL_PATTERNS.find(({ name }) => name === found.name);
      if (!kernel) return found;
      const prompt = await this.#readMessage(console, kernel, found, wanted);
      if (prompt) return prompt;
    }
  }

  /** The rest of a kernel's message; a prompt that comes before its end is returned. */
  async #readMessage(
    console: Console,
    { name, end, fatal }: KernelPattern,
    start: Match<string>,
    prompts: Record<string, RegExp>,
  ): Promise<Match<string> | undefined> {
    const { signal, timeoutSeconds, log } = this.#context;
    const head = start.lineBefore + start.match[0];
    let rest: Match<string>;
    try {
      const others = { end };
      rest = await expectPrompt(console, prompts, { timeoutSeconds, signal, log, others });
    } catch (error) {
      if (fatal) this.#fail(name, head + (await restOfLine(console)), start);
      throw error;
    }
    if (rest.name !== "end") {
      if (fatal) this.#fail(name, head, start);
      log.warning(`a kernel message (${name}) was not finished before the prompt came`);
      return rest;
    }
    const message = head + rest.before + rest.match[0];
    if (fatal) this.#fail(name, message, start);
    this.#messages.push({ kind: kindOf(name, message), message });
    return undefined;
  }

  #fail(kind: string, message: string, { logLine, name }: Match<string>): never {
    this.#failed = true;
    this.#messages.push({ kind, message });
    const pattern = { ...this.#kernelPatterns(), ...this.#failurePattern() }[name]?.source;
    const evidence = { line: logLine, ...(pattern === undefined ? {} : { pattern }) };
    if (kind === "custom-error") {
      const said = `Matched job-specific failure message: '${message}'`;
      throw new JobFailure("Job", said, { evidence });
    }
    throw new JobFailure("Job", message.trim(), { evidence });
  }

  get #isIgnoring(): boolean {
    return this.#block["ignore_kernel_messages"] === true;
  }

  #kernelPatterns(): Record<string, RegExp> {
    if (this.#isIgnoring) return {};
    return Object.fromEntries(KERNEL_PATTERNS.map(({ name, start }) => [name, start]));
  }

  #failurePattern(): Record<string, RegExp> {
    const message = this.#block["failure_message"];
    return typeof message === "string" ? { [FAILURE]: pythonRegex(message) } : {};
  }
}

/** What came and belongs to the line of a message whose end never came. */
async function restOfLine(console: Console): Promise<string> {
  const now = { timeoutSeconds: 0, signal: new AbortController().signal };
  return (await console.tryExpect({ rest: /[^\r\n]*/g }, now))?.match[0] ?? "";
}
