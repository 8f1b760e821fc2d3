import type { Console, Match } from "./console.ts";
import { hasPartOf } from "./echo.ts";
import {
  isKernelLine,
  joinedLines,
  ownWords,
  seamless,
  withoutKernelLines,
} from "./kernel-lines.ts";
import { isDamagedPrompt, lastPromptOf, rememberPrompt } from "./prompt-likeness.ts";
import { lastLine, plainText } from "./terminal-text.ts";

export interface PromptOptions {
  readonly signal: AbortSignal;
  readonly log: { warning(text: string): void; debug(text: string): void };
  /** What counts at once, wherever it stands. */
  readonly others?: Readonly<Record<string, RegExp>>;
  /** The others count also where messages were printed into them: they are such that nobody else says them. */
  readonly mendsOthers?: boolean;
  /** How long nothing comes behind a prompt, milliseconds. */
  readonly quietMs?: number;
  /** A prompt in the midst of the output is taken when nothing came for this long (milliseconds), a damaged one after a quarter of it. */
  readonly silentMs?: number;
  /** Or when this long has gone since, milliseconds, half of the wait at most (unless that is shorter than a second): a DUT may never fall silent. */
  readonly patienceMs?: number;
  /** Name of one that counts at the end of the output only. */
  readonly onlyAtEnd?: string;
  /** Leaves what was found to be found again. */
  readonly keepMatch?: boolean;
  /** Gives the wait up, as when its time is over. */
  readonly giveUp?: AbortSignal | undefined;
  /**
   * Types an empty line when the last line may be what is left of the prompt before: for shells and logins. `idle`: also when it
   * has ended, as the far side is known to have nothing else to do than to show one: what its kernel says is no sign of work then.
   */
  readonly nudges?: boolean | "idle";
  /** After so many milliseconds of silence. */
  readonly nudgeMs?: number;
}

/** Which pattern was found, and where, as `Console.expect` says it. */
export type PromptMatch = Match<string>;

/** Long enough that what a board prints in one go is one go, short enough that nobody notices. */
const QUIET_MS = 20;
/** What shows the very prompt that was shown before, alone in its line, has come to its end. */
const KNOWN_QUIET_MS = 2;
/** So much of what came last is looked at. */
const LOOK_CHARS = 32 * 1024;
const SILENT_MS = 2000;
const PATIENCE_MS = 30_000;
const MIN_PATIENCE_MS = 1000;
/** A line that has not ended and is no prompt may be what is left of one: an empty line has it shown again. */
const NUDGE_MS = 5000;
const MAX_NUDGES = 3;
/** Who is not known to be idle may boot or work while only the kernel talks: it gets so many times the silence. */
const NUDGE_BUSY = 4;
/** An idle shell is asked after so many times that, whatever comes: a kernel's messages may arrive damaged, like anybody's text. */
const NUDGE_CLOCK = 2;
/** A DUT that leaves no quiet moment is looked at as often as this. */
const LOOK_MS = 250;
/** What the DUT itself says, not its kernel, is known by its end. */
const OWN_CHARS = 200;
/** A prompt of so many words is meant as a message, also the kernel's. */
const SENTENCE = /\w\S*\s+\S*\w\S*\s+\S*\w/;

type Patterns = Readonly<Record<string, RegExp>>;

/**
 * Waits for a prompt: it counts at the end of the output, in its last line, once the DUT is quiet. What the kernel prints
 * is no prompt and hides none. One that a message without time stamp hides, or that is a message itself, is taken when the
 * DUT has been silent for two seconds, with a warning.
 *
 * @throws JobFailure Job when the time is over, Infrastructure when the connection ends.
 */
export async function expectPrompt(
  console: Console,
  prompts: Patterns,
  options: PromptOptions & { readonly timeoutSeconds: number },
): Promise<PromptMatch> {
  const found = await new PromptWait(console, prompts, options).within(options.timeoutSeconds);
  if (found) return found;
  throw console.timedOut({ ...prompts, ...options.others }, options.timeoutSeconds);
}

/** A wait for a prompt that may be interrupted and goes on with what it has seen. */
export class PromptWait {
  readonly #console: Console;
  readonly #prompts: Patterns;
  readonly #options: PromptOptions;
  readonly #begin: number;
  /** Up to here it is known that no prompt stands at the end. */
  #judged: number;
  /** A prompt that stands in the midst of the output. */
  #early: { match: PromptMatch; since: number } | undefined;
  /** What the damaged one at the end would be. */
  #damaged: PromptMatch | undefined;
  #isUnfinished = false;
  #patienceMs = 0;
  #nudges = 0;
  #nudgedAt = performance.now();
  /** The end of what came last that is not the kernel's, and when that was seen. */
  #own = "";
  #ownAt = performance.now();
  #lookedAt = performance.now();

  constructor(console: Console, prompts: Patterns, options: PromptOptions) {
    this.#console = console;
    this.#prompts = prompts;
    this.#options = options;
    this.#begin = this.#judged = console.consumed;
  }

  /** Waits for so many seconds (more); undefined when nothing was found. Throws as `Console.tryExpect` does. */
  async within(seconds: number): Promise<PromptMatch | undefined> {
    const { keepMatch = false } = this.#options;
    const deadline = performance.now() + seconds * 1000;
    const halfMs = Math.max(seconds * 500, MIN_PATIENCE_MS);
    this.#patienceMs = Math.min(this.#options.patienceMs ?? PATIENCE_MS, halfMs);
    for (;;) {
      const left = deadline - performance.now();
      const other = await this.#listen(Math.min(left, ...this.#doubtsMs()));
      if (other) return other;
      const prompt = this.#look() ?? this.#resolveDoubt();
      if (prompt) {
        if (!keepMatch) this.#console.skip();
        return prompt;
      }
      if (performance.now() >= deadline || this.#options.giveUp?.aborted) return undefined;
    }
  }

  /** Until something comes and is over, or the time is; what is no prompt is returned. */
  async #listen(ms: number): Promise<PromptMatch | undefined> {
    const { signal, others = {}, keepMatch = false, onlyAtEnd, giveUp } = this.#options;
    const found = await this.#console.tryExpect<string>(
      this.#early ? others : { ...others, ...this.#prompts },
      {
        timeoutSeconds: Math.max(0, ms) / 1000,
        signal,
        keepMatch,
        quiet: { ms: this.#quietMs(), since: this.#judged },
        // The prompt first: others may be many, such as all that a kernel says when it dies.
        awaited: { ...this.#prompts, ...others },
        ...(giveUp ? { giveUp } : {}),
      },
    );
    if (!found || Object.hasOwn(others, found.name)) return found;
    const isOutput = !isKernelLine(found.lineBefore) || SENTENCE.test(found.match[0]);
    if (isOutput && found.name !== onlyAtEnd) {
      this.#early = { match: found, since: performance.now() };
    }
    return undefined;
  }

  /** Nothing more must come for so long. */
  #quietMs(): number {
    const { quietMs } = this.#options;
    if (quietMs !== undefined) return quietMs;
    const known = lastPromptOf(this.#console, this.#prompts);
    if (known === "") return QUIET_MS;
    const end = this.#console.textSince(this.#console.received - 2 * known.length);
    return lastLine(plainText(end)) === known ? KNOWN_QUIET_MS : QUIET_MS;
  }

  /** Looks at what has come, when that is news and the DUT is quiet, or has not been for long. */
  #look(): PromptMatch | undefined {
    const console = this.#console;
    const isQuiet = console.silentMs >= this.#quietMs() || !console.isOpen;
    const isNews = console.received !== this.#judged;
    if (!isNews || (!isQuiet && performance.now() - this.#lookedAt < LOOK_MS)) return undefined;
    this.#lookedAt = performance.now();
    // The end of the connection has ended the last line.
    const begin = Math.max(this.#begin, console.received - LOOK_CHARS);
    const all = console.textSince(begin).slice(0, console.isOpen ? undefined : -1);
    this.#hear(ownWords(plainText(all)));
    const { silentMs = SILENT_MS } = this.#options;
    if (isQuiet || this.#silentMs() >= silentMs / 4) return this.#judge(all);
    return undefined;
  }

  /** Notes whether the DUT itself has said something, or only its kernel. */
  #hear(words: string): void {
    const own = words.slice(-OWN_CHARS);
    // Less of it: the rest is too long ago.
    if (!this.#own.endsWith(own)) this.#ownAt = performance.now() - this.#console.silentMs;
    this.#own = own;
  }

  /** Milliseconds since the DUT, or where it may work, its kernel, last said something. */
  #silentMs(): number {
    const { silentMs } = this.#console;
    return this.#options.nudges === "idle" ? Math.max(silentMs, this.#ownSilentMs()) : silentMs;
  }

  #ownSilentMs(): number {
    return performance.now() - this.#ownAt;
  }

  /** The prompt at the end of what has come. */
  #judge(all: string): PromptMatch | undefined {
    const console = this.#console;
    this.#judged = console.received;
    const text = withoutKernelLines(all);
    const found = promptAtEnd(text, this.#prompts);
    if (found) {
      rememberPrompt(console, this.#prompts, lastLine(plainText(text)));
      return { ...found, logLine: console.lastLogLine };
    }
    const { mendsOthers = false, others = {} } = this.#options;
    const mended = mendsOthers ? firstMatch(seamless(all), others) : undefined;
    if (mended) return { ...mended, logLine: console.lastLogLine };
    const shown = lastLine(plainText(text)).trim();
    const before = lastPromptOf(console, this.#prompts).trim();
    // A progress bar, or a question, is not answered.
    this.#isUnfinished = shown !== "" && (before === "" || hasPartOf(shown, before));
    this.#damaged = this.#findDamaged(all, plainText(text));
    return undefined;
  }

  #findDamaged(all: string, shown: string): PromptMatch | undefined {
    // Some kernels begin a line of their own in the midst of another.
    const joined = joinedLines(all);
    const inJoined = promptAtEnd(joined, this.#prompts);
    if (inJoined) return inJoined;
    const before = lastPromptOf(this.#console, this.#prompts);
    const isDamaged = [shown, plainText(joined)].some((text) => isDamagedPrompt(text, before));
    return isDamaged ? firstMatch(before, this.#prompts) : undefined;
  }

  /** Milliseconds until each of the doubts is resolved when nothing more comes; the last until the next look. */
  #doubtsMs(): number[] {
    const { silentMs = SILENT_MS } = this.#options;
    const silent = this.#silentMs();
    const early = this.#early;
    const isNews = this.#console.received !== this.#judged;
    return [
      this.#damaged ? silentMs / 4 - silent : Infinity,
      early ? silentMs - silent : Infinity,
      early ? this.#patienceMs - (performance.now() - early.since) : Infinity,
      this.#nudgeInMs(silent),
      isNews ? Math.max(1, LOOK_MS - (performance.now() - this.#lookedAt)) : Infinity,
    ];
  }

  #nudgeInMs(silent: number): number {
    const { nudges = false, nudgeMs = NUDGE_MS } = this.#options;
    const isIdle = nudges === "idle";
    const mayNudge = nudges && (this.#isUnfinished || isIdle) && this.#nudges < MAX_NUDGES;
    if (!mayNudge) return Infinity;
    const wait = nudgeMs * 2 ** this.#nudges;
    const anyway = isIdle
      ? wait * NUDGE_CLOCK - (performance.now() - this.#nudgedAt)
      : wait * NUDGE_BUSY - this.#ownSilentMs();
    return Math.min(wait - silent, anyway);
  }

  #resolveDoubt(): PromptMatch | undefined {
    const [damagedMs = 0, silentMs = 0, patienceMs = 0, nudgeMs = 0] = this.#doubtsMs();
    const { log } = this.#options;
    if (this.#damaged && damagedMs <= 0) {
      log.debug("what came last is taken for a prompt that was damaged on the line");
      return { ...this.#damaged, logLine: this.#console.lastLogLine };
    }
    if (this.#early && Math.min(silentMs, patienceMs) <= 0) {
      const { match, logLine } = this.#early.match;
      log.warning(
        `${JSON.stringify(match[0])} stands in the midst of the output (line ${logLine} of the log), not at its end: taken for the prompt since no other came`,
      );
      return this.#early.match;
    }
    if (nudgeMs <= 0) {
      this.#nudges += 1;
      this.#nudgedAt = performance.now();
      log.warning("what came last is no prompt: typing an empty line");
      void this.#console.sendLine("").catch(() => {});
    }
    return undefined;
  }
}

/** How far before the last line a prompt of several lines may begin. */
const SPAN_CHARS = 4096;

/** The first prompt in the last line of a text; else one of several lines that reaches into it. */
function promptAtEnd(text: string, prompts: Patterns): PromptMatch | undefined {
  for (const variant of [text, plainText(text)]) {
    const line = lastLine(variant);
    const end = variant.slice(-SPAN_CHARS);
    const reach = Math.min(end.length - line.length + 1, end.length);
    const found = firstMatch(line, prompts) ?? firstMatch(end, prompts, Math.max(reach, 0));
    if (found) return found;
  }
  return undefined;
}

/** The first match in a text, of those that end at or behind an offset. */
function firstMatch(text: string, prompts: Patterns, reach = 0): PromptMatch | undefined {
  let best: PromptMatch | undefined;
  for (const [name, pattern] of Object.entries(prompts)) {
    pattern.lastIndex = 0;
    for (const match of text.matchAll(pattern)) {
      if (match.index + match[0].length < reach) continue;
      if (best && best.match.index <= match.index) break;
      const before = text.slice(0, match.index);
      best = { name, match, before, lineBefore: lastLine(before), logLine: 0 };
      break;
    }
  }
  return best;
}
