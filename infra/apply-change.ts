import type { Parameter } from "@aws-sdk/client-cloudformation";
import { UsageError } from "../control-plane/cli/command.ts";
import { coloured, type Terminal } from "../control-plane/cli/terminal.ts";
import { discard, execute, makeChangeSet, type Change } from "./change-set.ts";
import { changesText, dataAtRisk } from "./change-text.ts";
import type { Cloud } from "./cloud.ts";
import type { Options } from "./options.ts";
import { watchStack, type Ending, type Step } from "./progress.ts";

export interface Context {
  readonly cloud: Cloud;
  readonly options: Options;
  readonly terminal: Terminal;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Request {
  readonly stack: string;
  readonly isNew: boolean;
  readonly template: string;
  readonly parameters: Parameter[];
  /** What the person is asked: `Deploy?`. */
  readonly question: string;
  /** Done after the yes and before AWS begins. */
  readonly prepare?: (changes: readonly Change[]) => Promise<void>;
}

/** `same`: there was nothing to do. `refused`: the person said no, or the data is at risk. */
export type Applied =
  | { readonly outcome: "same"; readonly changes: [] }
  | { readonly outcome: "refused" | "done"; readonly changes: readonly Change[] };

/** Throws before anything is begun when somebody must be asked and nobody is there. */
export function requireAnswerable({ options, terminal }: Context): void {
  if (options.yes || terminal.ask) return;
  throw new UsageError(
    `there is nobody to ask: give --yes to ${options.command} without a question, or look with npm run diff`,
  );
}

/** Shows what would change, asks, does it, tells how far it is. Throws with AWS's reasons when it fails. */
export async function applyChange(context: Context, request: Request): Promise<Applied> {
  const { cloud, options, terminal, signal } = context;
  const { stack, isNew, template, parameters, question, prepare } = request;
  const { pollMs } = options;
  const wanted = { stack, isNew, template, parameters, pollMs, signal };
  const set = await makeChangeSet(cloud.cloudFormation, wanted);
  if (!set) return { outcome: "same", changes: [] };
  const { changes } = set;
  try {
    if (!options.json) terminal.out(changesText(terminal, changes));
    if (!mayLoseNothing(context, changes) || !(await isAgreed(context, question))) {
      await discard(cloud.cloudFormation, set, isNew);
      return { outcome: "refused", changes };
    }
    await prepare?.(changes);
  } catch (error) {
    await discard(cloud.cloudFormation, set, isNew);
    throw error;
  }
  const { status, failures } = await watch(context, set.stackId, () =>
    execute(cloud.cloudFormation, set),
  );
  if (status === "CREATE_COMPLETE" || status === "UPDATE_COMPLETE") {
    return { outcome: "done", changes };
  }
  throw new Error(failureText(stack, status, failures));
}

/** Tells when the lab would begin anew, and whether that is allowed. */
function mayLoseNothing({ options, terminal }: Context, changes: readonly Change[]): boolean {
  const risky = dataAtRisk(changes);
  for (const { name, type } of risky) {
    const kept = "the old one stays in the account, but the lab begins with an empty one";
    terminal.say(
      coloured(terminal, "red", `warning: ${name} (${type}) has the lab's data; ${kept}`),
    );
  }
  if (risky.length === 0 || options.replaceData) return true;
  terminal.say("Not done: --replace-data allows it; a backup by pumice export --all comes first.");
  return false;
}

export async function isAgreed(
  { options, terminal, signal }: Context,
  question: string,
  answer = /^y(es)?$/i,
): Promise<boolean> {
  if (options.yes) return true;
  return answer.test(((await terminal.ask?.(`${question} `, signal)) ?? "").trim());
}

/** Begins a change of a stack and follows it to its end, one line a step. */
export function watch(
  context: Context,
  stackId: string,
  begin: () => Promise<unknown>,
): Promise<Ending> {
  const { cloud, options, terminal, signal } = context;
  return watchStack(cloud.cloudFormation, begin, {
    stackId,
    pollMs: options.pollMs,
    signal,
    onStep: (step) => terminal.say(stepText(terminal, step)),
  });
}

function stepText(terminal: Terminal, { name, type, status, reason }: Step): string {
  const colour = status.endsWith("_FAILED")
    ? "red"
    : status.endsWith("_COMPLETE")
      ? "green"
      : undefined;
  const what = status.toLowerCase().replaceAll("_", " ");
  const why = reason && status.endsWith("_FAILED") ? `: ${reason}` : "";
  return coloured(terminal, colour, `  ${name} (${type.replace(/^AWS::/, "")}) ${what}${why}`);
}

export function failureText(stack: string, status: string, failures: readonly Step[]): string {
  const reasons = failures.map(({ name, type, reason }) => `\n  ${name} (${type}): ${reason}`);
  const isBack = status === "UPDATE_ROLLBACK_COMPLETE";
  const after = isBack ? ": AWS has put everything back as it was" : "";
  return `stack ${stack} ended as ${status}${after}${reasons.join("")}`;
}
