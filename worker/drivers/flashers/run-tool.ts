import type { ErrorType } from "#protocol/failure.ts";
import { shellWords } from "../../host/shell-words.ts";
import { runCommand } from "../../host/spawn.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

export type Argv = readonly [string, ...string[]];

export interface ToolOptions {
  readonly cwd?: string;
  /** What a failure is; `Job` when not said (DISPATCHER.md 5.2, last paragraph). */
  readonly failure?: ErrorType;
  /** A line that says that it failed, for tools whose exit code doesn't. */
  readonly failed?: RegExp;
}

/**
 * Runs a flashing tool on this machine, its output in the log as it comes; what it said.
 *
 * @throws JobFailure when it fails, naming its last line.
 */
export async function runTool(
  { signal, log }: Pick<RunContext, "signal" | "log">,
  argv: Argv,
  { cwd, failure = "Job", failed }: ToolOptions = {},
): Promise<string> {
  const [program] = argv;
  let last = "";
  let bad: string | undefined;
  const onLine = (line: string): void => {
    last = line.trim() || last;
    if (failed?.test(line)) bad ??= line.trim();
    log.debug(`>> ${line}`);
  };
  log.debug(`Calling: ${JSON.stringify(argv)}`);
  const started = performance.now();
  const { status, output } = await runCommand(argv, {
    signal,
    onLine,
    ...(cwd === undefined ? {} : { cwd }),
  });
  log.debug(`Returned ${status} in ${Math.round((performance.now() - started) / 1000)} seconds`);
  if (status === 0 && bad === undefined) return output;
  const why = status === 0 ? "it said" : `exit code ${status}, it said last`;
  throw new JobFailure(failure, `${program} failed: ${why} '${bad ?? last}'`);
}

/**
 * The words of a text of the job or the device, split as a shell would, with `{name}` of the table filled in
 * afterwards: a value stays one word whatever is in it. What the table doesn't have stays as it is.
 *
 * @throws JobFailure Job when a quote is not closed.
 */
export function filledWords(
  text: string,
  values: Readonly<Record<string, string>>,
  what: string,
): string[] {
  let words: string[];
  try {
    words = shellWords(text);
  } catch (error) {
    throw new JobFailure("Job", `${what}: ${(error as Error).message}`);
  }
  return words.map((word) => filled(word, values));
}

/** A text with each `{name}` that the table knows replaced by its value. */
export const filled = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\{(\w[\w.-]*)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? whole) : whole,
  );
