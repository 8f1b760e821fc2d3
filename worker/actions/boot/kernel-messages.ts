import type { BootBlock } from "#protocol/job-actions.ts";
import type { Console, Match } from "../../console/console.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { KERNEL_PATTERNS, kindOf, type KernelPattern } from "./kernel-patterns.ts";

interface KernelMessage {
  kind: string;
  message: string;
}

const FORCED_PROMPTS = 6;

/** Waits for prompts and notices on the way what the kernel has to say (DISPATCHER.md 8 and 9). */
export class KernelWatch {
  readonly #context: RunContext;
  readonly #block: BootBlock;
  readonly #prompts: readonly string[];
  readonly #messages: KernelMessage[] = [];
  readonly #started = Date.now();
  #failed = false;

  constructor(context: RunContext, block: BootBlock, prompts: readonly string[]) {
    this.#context = context;
    this.#block = block;
    this.#prompts = prompts;
  }

  /**
   * As `Console.expect`, for the time that the action has: half of it waiting, then with a `#` typed
   * now and then, in case the prompt was lost.
   *
   * @throws JobFailure Job for a kernel that died, or said what the job names as its failure.
   */
  async expect(console: Console, wanted: Record<string, RegExp>): Promise<Match<string>> {
    const { signal, timeoutSeconds, log } = this.#context;
    const patterns = { ...wanted, ...this.#kernelPatterns(), ...this.#failurePattern() };
    const ends = Date.now() + timeoutSeconds * 1000;
    const share = (part: number): number => Math.max(0.1, (ends - Date.now()) / 1000 / part);
    const first = await this.#tryExpect(console, patterns, share(2));
    if (first) return first;
    for (let n = 1; n <= FORCED_PROMPTS; n++) {
      log.warning("login-action: no prompt yet. Sending '#' and a newline");
      await console.sendLine("#");
      const found = await this.#tryExpect(console, patterns, share(10));
      if (found) return found;
    }
    return console.expect(wanted, { timeoutSeconds: share(1), signal });
  }

  /** Writes the `kernel-messages` record; also when there was nothing to tell. */
  report(): void {
    const { log, level } = this.#context;
    if (this.#block["ignore_kernel_messages"] === true) return;
    log.result({
      definition: "lava",
      case: "kernel-messages",
      level,
      duration: ((Date.now() - this.#started) / 1000).toFixed(2),
      result: this.#failed ? "fail" : "pass",
      extra: { extra: this.#messages },
    });
  }

  async #tryExpect(
    console: Console,
    patterns: Record<string, RegExp>,
    seconds: number,
  ): Promise<Match<string> | undefined> {
    const ends = Date.now() + seconds * 1000;
    for (;;) {
      const left = (ends - Date.now()) / 1000;
      const { signal } = this.#context;
      const found = await console.tryExpect<string>(patterns, { timeoutSeconds: left, signal });
      if (!found) return undefined;
      if (found.name === "failure") this.#fail("custom-error", found.match[0]);
      const kernel = KERNEL_PATTERNS.find(({ name }) => name === found.name);
      if (!kernel) return found;
      const prompt = await this.#readMessage(console, kernel, found);
      if (prompt) return prompt;
    }
  }

  /** The rest of a kernel's message; a prompt that comes before its end is returned. */
  async #readMessage(
    console: Console,
    { name, end, fatal }: KernelPattern,
    start: Match<string>,
  ): Promise<Match<string> | undefined> {
    const { signal, timeoutSeconds, log } = this.#context;
    const prompts = Object.fromEntries(
      this.#prompts.map((prompt) => [`prompt ${prompt}`, pythonRegex(prompt)]),
    );
    const head = start.lineBefore + start.match[0];
    let rest: Match<string>;
    try {
      rest = await console.expect<string>({ end, ...prompts }, { timeoutSeconds, signal });
    } catch (error) {
      if (fatal) this.#fail(name, head);
      throw error;
    }
    if (rest.name !== "end") {
      if (fatal) this.#fail(name, head);
      log.warning(`a kernel message (${name}) was not finished before the prompt came`);
      return rest;
    }
    const message = head + rest.before + rest.match[0];
    if (fatal) this.#fail(kindOf(name, message), message);
    this.#messages.push({ kind: kindOf(name, message), message });
    return undefined;
  }

  #fail(kind: string, message: string): never {
    this.#failed = true;
    this.#messages.push({ kind, message });
    if (kind === "custom-error") {
      throw new JobFailure("Job", `Matched job-specific failure message: '${message}'`);
    }
    throw new JobFailure("Job", message.trim());
  }

  #kernelPatterns(): Record<string, RegExp> {
    if (this.#block["ignore_kernel_messages"] === true) return {};
    return Object.fromEntries(KERNEL_PATTERNS.map(({ name, start }) => [name, start]));
  }

  #failurePattern(): Record<string, RegExp> {
    const message = this.#block["failure_message"];
    return typeof message === "string" ? { failure: pythonRegex(message) } : {};
  }
}
