import { parseArgs } from "node:util";
import { nearestWord } from "#protocol/nearest-word.ts";
import { VERSION } from "#protocol/version.ts";
import { ClientError, makeClient } from "./client.ts";
import { UsageError, type Command, type Values } from "./command.ts";
import { CONNECTION_OPTIONS, connectionOf } from "./connection.ts";
import { jobCommands } from "./job-commands.ts";
import { labCommands } from "./lab-commands.ts";
import { serveCommand } from "./serve-command.ts";
import type { Terminal } from "./terminal.ts";

const commands: readonly Command[] = [...jobCommands, ...labCommands, serveCommand];

/** Runs one command line and gives its exit code: 2 for what was mistyped or refused. */
export async function runCli(
  args: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const [first = "--help"] = args;
  if (["--help", "-h", "help"].includes(first)) return print(terminal, overview());
  if (first === "--version") return print(terminal, `pumice ${VERSION}`);
  const found = findCommand(args);
  if (!found) return unknownCommand(terminal, args);
  const { command, rest } = found;
  if (rest.includes("--help") || rest.includes("-h")) return print(terminal, usageOf(command));
  try {
    const { values, positionals } = parse(command, rest);
    const client = () => makeClient({ ...connectionOf(values, env), signal });
    return await command.run({ terminal, client, values, positionals, signal });
  } catch (error) {
    return tell(terminal, command, error);
  }
}

function parse(command: Command, args: string[]): { values: Values; positionals: string[] } {
  const options = { ...CONNECTION_OPTIONS, ...command.options };
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message.replace(/\. To specify a positional.*/, ""));
  }
}

function tell(terminal: Terminal, command: Command, error: unknown): number {
  if (error instanceof UsageError) {
    terminal.say(`pumice: ${error.message}\nusage: pumice ${command.usage} (--help says more)`);
    return 2;
  }
  if (error instanceof ClientError) {
    terminal.say(`pumice: ${error.message}`);
    for (const { line, column, path, message } of error.problem?.problems ?? []) {
      terminal.say(`  ${line}:${column} ${path}: ${message}`);
    }
    return 2;
  }
  if (error instanceof Error && (error.name === "AbortError" || "code" in error)) {
    terminal.say(`pumice: ${error.message}`);
    return error.name === "AbortError" ? 130 : 2;
  }
  throw error;
}

/** The command whose words the line begins with; the longest, so that `devices add` is not `devices`. */
function findCommand(args: readonly string[]): { command: Command; rest: string[] } | undefined {
  const wordsOf = ({ usage }: Command): string[] =>
    usage.split(" ").filter((word) => /^[a-z-]+$/.test(word));
  return commands
    .filter((command) => wordsOf(command).every((word, index) => args[index] === word))
    .map((command) => ({ command, rest: args.slice(wordsOf(command).length) }))
    .sort((a, b) => a.rest.length - b.rest.length)[0];
}

function unknownCommand(terminal: Terminal, [first = ""]: readonly string[]): number {
  const words = commands.map(({ usage }) => usage.split(" ")[0] ?? "");
  const near = nearestWord(first, words);
  const hint = near ? `did you mean ${near}?` : "see pumice --help";
  terminal.say(`pumice: no command ${first}; ${hint}`);
  return 2;
}

function overview(): string {
  const lines = commands.map(({ usage, about }) => `  ${usage.padEnd(32)} ${about}`);
  return [
    "usage: pumice COMMAND [options]",
    "",
    ...lines,
    "",
    "Where the control plane is: --url URL --token-file FILE, or PUMICE_URL with PUMICE_TOKEN or",
    "PUMICE_TOKEN_FILE, or url and token_file in ~/.config/pumice/config.yaml.",
    "pumice COMMAND --help says more about one; pumice --version prints the version.",
  ].join("\n");
}

function usageOf({ usage, about, help = [] }: Command): string {
  const lines = [...help, "--url URL, --token-file FILE   the control plane and the token to use"];
  return [`usage: pumice ${usage}`, "", about, "", ...lines.map((line) => `  ${line}`)].join("\n");
}

function print(terminal: Terminal, text: string): number {
  terminal.out(text);
  return 0;
}
