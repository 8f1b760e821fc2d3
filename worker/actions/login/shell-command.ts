import type { Console } from "../../console/console.ts";
import { seamless } from "../../console/kernel-lines.ts";
import { blamingNoise, noiseOn, tooNoisy } from "../../console/line-noise.ts";
import { expectPrompt, PromptWait } from "../../console/prompt.ts";
import { typeLine } from "../../console/type-line.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { currentPrompts, promptPatterns } from "./prompt-patterns.ts";

/** A shell that is at its prompt. */
export interface Shell {
  readonly console: Console;
  readonly prompts: readonly string[];
  readonly log: RunContext["log"];
  readonly signal: AbortSignal;
  /** For each wait. */
  readonly timeoutSeconds: number;
}

/** The DUT's, with all the time that the action has for each wait. */
export const shellOf = ({ connection, signal, log, timeoutSeconds }: RunContext): Shell => ({
  console: connection.take(consoleSlot),
  prompts: currentPrompts(connection),
  ...{ signal, log, timeoutSeconds },
});

/**
 * Types a command in the DUT's shell and waits for its end and the prompt after it, which the next command must not
 * take for its own. Each wait takes as long as the action has, unless said.
 *
 * @param options `after`: what is done in the same line before, whatever comes of it.
 * @throws JobFailure Job when it fails, with its exit code.
 */
export const runOnDut = (
  context: RunContext,
  command: string,
  options: { readonly timeoutSeconds?: number; readonly after?: string } = {},
): Promise<void> => runAllOnDut(context, [command], options);

/** As `runOnDut`, several commands in one line, each if those before it went well: every line costs a console its echo and its prompt. */
export async function runAllOnDut(
  context: RunContext,
  commands: readonly [string, ...string[]],
  { timeoutSeconds = context.timeoutSeconds, after = "" } = {},
): Promise<void> {
  const shell = { ...shellOf(context), timeoutSeconds };
  const [first, ...others] = commands;
  const steps = others.map((command, n) => ` && lava_step=${n + 1} && { ${command} ; }`);
  const begin = [...(after === "" ? [] : [after]), ...(steps.length > 0 ? ["lava_step=0"] : [])];
  const code = await exitCode(shell, `${[...begin, first].join(" ; ")}${steps.join("")}`);
  if (code === 0) return;
  if (code === undefined) throw shell.console.timedOut({ code: RETURN_CODE }, timeoutSeconds);
  let failed = 0;
  while (failed < steps.length && !(await isStep(shell, failed))) failed++;
  throw new JobFailure("Job", `'${commands[failed]}' failed with return code ${code}!`);
}

const isStep = async (shell: Shell, step: number): Promise<boolean> =>
  (await exitCode(shell, `[ "$lava_step" = ${step} ]`, { isBrief: true })) === 0;

/**
 * Types a command and waits for the prompt after it, whatever it returns.
 *
 * @param options `isBrief`: it reads nothing and soon ends, so that a prompt which does not come is asked for.
 */
export async function runInShell(
  shell: Shell,
  command: string,
  { isBrief = false } = {},
): Promise<void> {
  await typeInShell(shell, command);
  const wait = { ...shell, nudges: isBrief ? ("idle" as const) : true };
  const prompts = promptPatterns(shell.prompts);
  await blamingNoise(shell.console, expectPrompt(shell.console, prompts, wait));
}

/** Types a line in a shell, as far as its echo shows whole and once. */
export async function typeInShell(
  { console, prompts, log, signal }: Shell,
  line: string,
): Promise<void> {
  const before = Object.values(promptPatterns(prompts));
  await typeLine(console, line, { discard: "ctrl-u", log, signal, prompts: before });
}

// The spelling is LAVA's (DISPATCHER.md 14). The echo of what asks for it has no digits.
const RETURN_CODE = /<LAVA_SIGNAL_RETRUNCODE (\d+)>/g;
const ASK = 'printf "<LAVA_SIGNAL_RETRUNCODE $lava_code>\\n"';
const MAX_ASKED = 20;
/** An answer that did not come at all, on a noisy line. */
const MAX_SILENT = 3;
/** A command may print what looks like a prompt and work on in silence for as long. */
const SILENT_MS = 10_000;

/**
 * Types a command and says what it returned; undefined when no answer came. It is asked for again when the answer arrived
 * damaged, and when the command failed: a character that changed on the line must fail no job.
 *
 * @param options `isBrief`: as for `runInShell`.
 * @throws JobFailure Infrastructure when no answer came and the line is too noisy for one.
 */
export async function exitCode(
  shell: Shell,
  command: string,
  { isBrief = false } = {},
): Promise<number | undefined> {
  const code = await blamingNoise(shell.console, askedCode(shell, command, isBrief));
  if (code === undefined && noiseOn(shell.console) !== undefined) {
    throw tooNoisy(shell.console, `no exit code of '${command}' arrived`);
  }
  return code;
}

async function askedCode(
  shell: Shell,
  command: string,
  isBrief: boolean,
): Promise<number | undefined> {
  const { console, timeoutSeconds } = shell;
  const prompts = promptPatterns(shell.prompts);
  const seen = new Set<number>();
  const whole = `${command} ; lava_code=$? ; ${ASK}`;
  let line = whole;
  for (let asked = 1; ; asked++) {
    await typeInShell(shell, line);
    const since = console.consumed;
    const others = { code: RETURN_CODE };
    const nudges = isBrief ? ("idle" as const) : true;
    const wait = { ...shell, others, mendsOthers: true, silentMs: SILENT_MS, nudges };
    const found = await new PromptWait(console, prompts, wait).within(timeoutSeconds);
    const isLost = isBrief && asked < MAX_SILENT && noiseOn(console) !== undefined;
    if (!found && !isLost) return undefined;
    const text = console.textSince(since);
    const code = codeIn(text);
    if (code !== undefined) {
      if (shell.prompts.length > 0 && found?.name === "code")
        await expectPrompt(console, prompts, { ...shell, nudges: "idle" });
      if (code === 0 || seen.has(code)) return code;
      seen.add(code);
    }
    if (asked === MAX_ASKED) return [...seen].at(-1);
    // No code at all: the shell gave the line up before it came to that, as it does at a file to read that isn't there, by a letter.
    line = isBrief && UNSET.test(seamless(text)) ? whole : ASK;
  }
}

const UNSET = /<LAVA_SIGNAL_RETRUNCODE >/;

function codeIn(text: string): number | undefined {
  const code = new RegExp(RETURN_CODE.source);
  const found = code.exec(text) ?? code.exec(seamless(text));
  return found ? Number(found[1]) : undefined;
}
