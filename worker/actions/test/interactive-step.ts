import { setTimeout as sleep } from "node:timers/promises";
import type { Console } from "../../console/console.ts";
import { PromptWait, type PromptMatch } from "../../console/prompt.ts";
import { literalRegex, pythonRegex } from "../../console/python-regex.ts";
import { typeLine } from "../../console/type-line.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { callFromScript, interactiveCall } from "./interactive-call.ts";
import type { Script, Step } from "./interactive.ts";
import { waitWithPerson } from "./person-wait.ts";
import type { SuiteRecords } from "./suite-records.ts";

/** Names in braces and what they stand for; successes add their named groups. */
export type Substitutions = Map<string, string>;

export interface ScriptRun {
  readonly context: RunContext;
  readonly console: Console;
  readonly script: Script;
  readonly records: SuiteRecords;
  readonly substitutions: Substitutions;
}

type Verdict = "pass" | "fail";

/**
 * Runs one step of a script: types its command, waits for what it is judged by, records it under its name
 * (TEST-SHELL.md 9).
 *
 * @throws JobFailure as a matched failure's `exception` says, or Test when a step without a name failed.
 */
export async function runStep(run: ScriptRun, step: Step): Promise<void> {
  const { context, substitutions } = run;
  const { signal, log } = context;
  if (step.delay !== undefined) {
    log.debug(`waiting ${step.delay} s, as the script says`);
    await sleep(step.delay * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
  const asked = interactiveCall(step);
  if (asked) await callFromScript(context, asked, substitutions);
  if (step.command === undefined) return;
  const command = step.command === null ? undefined : substituted(step.command, substitutions);
  if (command !== undefined) await type(run, command);
  const { verdict, failure, logLine } = await judge(run, step);
  const shown = command ?? "(waiting)";
  if (step.name !== undefined) {
    const found = { name: step.name, result: verdict, measurement: undefined, units: undefined };
    const { level } = context;
    run.records.record(found, { level, starttc: logLine, endtc: logLine });
  }
  if (failure) throw failure;
  if (verdict === "fail" && step.name === undefined) {
    throw new JobFailure("Test", `Failed to run command '${shown}'`);
  }
  if (verdict === "fail") log.warning(`command '${shown}' failed`);
}

const substituted = (command: string, substitutions: Substitutions): string =>
  command.replace(/\{(\w+)\}/g, (whole, name: string) => substitutions.get(name) ?? whole);

async function type({ console, context, script }: ScriptRun, command: string): Promise<void> {
  const { log, signal, connectionTimeoutSeconds: timeoutSeconds } = context;
  const discardsEcho = script.echo === "discard";
  const typed = await typeLine(console, command, {
    ...{ discard: "ctrl-u", log, signal },
    prompts: Object.values(patterns("prompt", script.prompts)),
    // What talks here may be no terminal at all.
    onlyKnown: true,
    keepsEcho: !discardsEcho,
  });
  if (!discardsEcho || command === "" || typed === "checked") return;
  // What is typed comes back, and might look like an answer.
  const echo = await console.tryExpect({ echo: literalRegex(command) }, { timeoutSeconds, signal });
  if (!echo) log.warning(`the DUT did not echo '${command}'`);
}

interface Judgement {
  readonly verdict: Verdict;
  readonly logLine: number;
  /** What the job ends with. */
  readonly failure?: JobFailure;
}

async function judge(run: ScriptRun, step: Step): Promise<Judgement> {
  const { context, script, substitutions } = run;
  const { failures = [], successes = [], wait_for_prompt = true, command } = step;
  const { signal } = context;
  const prompts = patterns("prompt", script.prompts);
  const failing = patterns(
    "failure",
    failures.map(({ message }) => message),
  );
  const passing = patterns(
    "success",
    successes.map(({ message }) => message),
  );
  const others = { ...failing, ...passing };
  const wait = (giveUp?: AbortSignal) => awaited(run, prompts, others, giveUp);
  const isPause = command === null;
  const came = isPause ? await waitWithPerson(context, run.console, wait) : await wait();
  // A person who lets the job go on is its prompt: what came while they had the console counts.
  const found = came ?? (await run.console.tryExpect(others, { timeoutSeconds: 0, signal }));
  if (!came) run.console.skip();
  if (!found) {
    const { lastLogLine: logLine } = run.console;
    return { verdict: successes.length === 0 ? "pass" : "fail", logLine };
  }
  const [kind, index = ""] = found.name.split(" ");
  const { logLine } = found;
  if (kind === "prompt") return { verdict: successes.length === 0 ? "pass" : "fail", logLine };
  for (const [name, value] of Object.entries(found.match.groups ?? {})) {
    if (kind === "success" && value !== undefined) substitutions.set(name, value);
  }
  const matched = kind === "failure" ? failures[Number(index)] : undefined;
  const failure = matched?.exception && raised(matched.exception, matched.error ?? matched.message);
  if (failure) return { verdict: "fail", logLine, failure };
  if (wait_for_prompt && came) await awaited(run, prompts);
  context.log.debug(`matched a ${kind} message: ${found.match[0].trim()}`);
  return { verdict: kind === "success" ? "pass" : "fail", logLine };
}

/** Only the action's own time-out, through its signal, ends a wait; or a person who comes: undefined. */
async function awaited(
  { console, context }: ScriptRun,
  prompts: Record<string, RegExp>,
  others: Record<string, RegExp> = {},
  giveUp?: AbortSignal,
): Promise<PromptMatch | undefined> {
  const { timeoutSeconds, signal, log } = context;
  const wait = new PromptWait(console, prompts, { signal, log, others, giveUp });
  for (;;) {
    const found = await wait.within(timeoutSeconds);
    if (found || giveUp?.aborted) return found;
  }
}

const patterns = (kind: string, sources: readonly string[]): Record<string, RegExp> =>
  Object.fromEntries(sources.map((source, index) => [`${kind} ${index}`, pythonRegex(source)]));

function raised(
  exception: "InfrastructureError" | "JobError" | "TestError",
  message: string,
): JobFailure {
  switch (exception) {
    case "InfrastructureError":
      return new JobFailure("Infrastructure", message);
    case "JobError":
      return new JobFailure("Job", message);
    case "TestError":
      return new JobFailure("Test", message);
  }
}
