import { networkHint } from "#protocol/network-words.ts";
import { UsageError } from "../control-plane/cli/command.ts";
import type { Terminal } from "../control-plane/cli/terminal.ts";
import type { Context } from "./apply-change.ts";
import { openCloud } from "./cloud.ts";
import { deploy } from "./deploy.ts";
import { destroy } from "./destroy.ts";
import { diff } from "./diff.ts";
import { HELP, parseOptions, type CommandName, type Options } from "./options.ts";
import { rollback } from "./rollback.ts";
import { smoke } from "./smoke.ts";

const RUN: Record<CommandName, (context: Context) => Promise<number>> = {
  deploy,
  diff,
  rollback,
  destroy,
  smoke,
};

/** Runs one command line. @returns its exit code: 2 when nothing was begun, 1 when it failed or was refused. */
export async function runInfra(
  args: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  let options: Options | undefined;
  try {
    options = parseOptions(args);
    if (!options) {
      terminal.out(HELP.trimEnd());
      return 0;
    }
    const cloud = await openCloud(options.region);
    try {
      return await RUN[options.command]({ cloud, options, terminal, signal });
    } finally {
      cloud.close();
    }
  } catch (error) {
    return tell(terminal, options, signal, error);
  }
}

function tell(
  terminal: Terminal,
  options: Options | undefined,
  signal: AbortSignal,
  error: unknown,
): number {
  const name = options?.command ?? "cloud";
  if (signal.aborted) {
    terminal.say(`${name}: stopped looking; what AWS has begun it goes on with`);
    return 130;
  }
  if (!(error instanceof Error)) throw error;
  if (error instanceof UsageError) {
    terminal.say(`${name}: ${error.message} (--help says more)`);
    return 2;
  }
  // Of AWS, the network, or written for people; anything else is a bug and shows where.
  if (!("$metadata" in error || "code" in error || error.constructor === Error)) throw error;
  const kind = "$metadata" in error && error.name !== "Error" ? `${error.name}: ` : "";
  terminal.say(`${name}: ${kind}${error.message}${hintOf(error)}`);
  return options?.command === "diff" ? 2 : 1;
}

function hintOf(error: Error): string {
  const { name, code } = error as NodeJS.ErrnoException;
  if (/Expired/.test(name)) return "\nThe credentials are too old: sign in to AWS again.";
  if (/InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch/.test(name)) {
    return "\nThe credentials are not right, or not of an account that has this region enabled: aws sts get-caller-identity tells whose they are.";
  }
  if (/AccessDenied/.test(name)) return "\nWhat a deployer must be allowed is in infra/README.md.";
  const [, region] = /ENOTFOUND \S+\.([a-z]+(?:-[a-z]+)+-\d+)\./.exec(error.message) ?? [];
  if (region)
    return `\nIs ${region} a region of AWS, is this machine in a network, does DNS answer?`;
  const hint = networkHint(code);
  return hint === undefined ? "" : `\nAWS can't be reached: ${hint}`;
}
