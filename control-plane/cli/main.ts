import { parseArgs } from "node:util";
import { nearestWord } from "#protocol/nearest-word.ts";
import { saidTwice, valueWanted } from "#protocol/option-words.ts";
import { VERSION } from "#protocol/version.ts";
import { accountCommands } from "./account-commands.ts";
import { applyCommand } from "./apply-command.ts";
import { backupCommands } from "./backup-commands.ts";
import { chartCommand } from "./chart-command.ts";
import { checkCommand } from "./check-command.ts";
import { checkLabCommand } from "./check-lab-command.ts";
import { ClientError, makeClient } from "./client.ts";
import { UsageError, type Command, type Context, type Values } from "./command.ts";
import { CONNECTION_OPTIONS, connectionOf } from "./connection.ts";
import { deviceAdminCommands } from "./device-admin-commands.ts";
import { deviceCommands } from "./device-commands.ts";
import { eventCommand } from "./event-command.ts";
import { exportCommand } from "./export-command.ts";
import { groupCommand } from "./group-command.ts";
import { importLavaCommand } from "./import-command.ts";
import { jobCommands } from "./job-commands.ts";
import { labCommands } from "./lab-commands.ts";
import { schedulingCommands } from "./scheduling-commands.ts";
import { noticeCommands } from "./notice-commands.ts";
import { peopleCommands } from "./people-commands.ts";
import { permissionCommands } from "./permission-commands.ts";
import { photoCommands } from "./photo-commands.ts";
import { releaseCommands } from "./release-commands.ts";
import { renderCommand } from "./render-command.ts";
import { consoleCommands } from "./console-commands.ts";
import { settingsCommands } from "./settings-commands.ts";
import { reservationCommands } from "./reservation-commands.ts";
import { windowCommands } from "./window-commands.ts";
import { queryCommands } from "./query-commands.ts";
import { queueCommand } from "./queue-command.ts";
import { retentionCommands } from "./retention-commands.ts";
import { serveCommand } from "./serve-command.ts";
import { systemErrorWords } from "./system-error-words.ts";
import type { Terminal } from "./terminal.ts";
import { tokenCommands } from "./token-commands.ts";
import { workerCommands } from "./worker-commands.ts";

/** While a job is followed the control plane may be restarted, or updated. */
const PATIENT_MS = 10 * 60_000;
const IMPATIENT_MS = 10_000;

const commands: readonly Command[] = [
  ...jobCommands,
  groupCommand,
  ...labCommands,
  ...tokenCommands,
  ...deviceCommands,
  ...workerCommands,
  ...deviceAdminCommands,
  ...photoCommands,
  ...peopleCommands,
  ...accountCommands,
  ...permissionCommands,
  ...schedulingCommands,
  queueCommand,
  ...queryCommands,
  chartCommand,
  ...retentionCommands,
  eventCommand,
  ...noticeCommands,
  ...settingsCommands,
  ...windowCommands,
  ...reservationCommands,
  ...consoleCommands,
  ...releaseCommands,
  applyCommand,
  exportCommand,
  ...backupCommands,
  checkLabCommand,
  importLavaCommand,
  checkCommand,
  renderCommand,
  serveCommand,
];

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
    const client: Context["client"] = (patience) =>
      makeClient({
        ...connectionOf(values, env),
        signal,
        patienceMs: patience ? PATIENT_MS : IMPATIENT_MS,
        onRetry: saidOnce((why) => terminal.say(`pumice: ${why}; trying again ...`)),
      });
    return await command.run({ terminal, client, values, positionals, env, signal });
  } catch (error) {
    return tell(terminal, command, signal, error);
  }
}

function parse(command: Command, args: string[]): { values: Values; positionals: string[] } {
  const options = { ...(command.isLocal ? {} : CONNECTION_OPTIONS), ...command.options };
  try {
    const read = parseArgs({ args, options, allowPositionals: true, tokens: true });
    const twice = saidTwice(read.tokens, options);
    if (twice !== undefined) throw new UsageError(twice);
    return read;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const said = (error as Error).message.replace(/\. To specify a positional.*/, "");
    const unknown = /^Unknown option '-*([^']*)'/.exec(said)?.[1];
    if (unknown === "token") {
      throw new UsageError(
        "there is no --token: others on this machine see what is typed; give --token-file FILE, or set PUMICE_TOKEN",
      );
    }
    const near = unknown && nearestWord(unknown, Object.keys(options));
    const wanting = valueWanted(said);
    if (wanting !== undefined) throw new UsageError(wanting);
    throw new UsageError(near ? `${said}; did you mean --${near}?` : said);
  }
}

function saidOnce(say: (why: string) => void): (why: string) => void {
  let said = "";
  return (why) => {
    if (why !== said) say(why);
    said = why;
  };
}

function tell(terminal: Terminal, command: Command, signal: AbortSignal, error: unknown): number {
  if (error instanceof UsageError) {
    const name = wordsOf(command).join(" ");
    const isExtra = error.message.startsWith("unexpected argument");
    const below = isExtra ? namesOf((one) => one.startsWith(`${name} `)) : [];
    const others = below.length > 0 ? `; there are also: ${below.join(", ")}` : "";
    terminal.say(
      `pumice: ${error.message}\nusage: pumice ${command.usage} (--help says more)${others}`,
    );
    return 2;
  }
  if (error instanceof ClientError) {
    terminal.say(`pumice: ${error.message}`);
    return 2;
  }
  if (signal.aborted) return 130;
  // Of a file or the network, or written for people; anything else is a bug and shows where.
  if (error instanceof Error && ("code" in error || error.constructor === Error)) {
    terminal.say(`pumice: ${systemErrorWords(error)}`);
    return 2;
  }
  throw error;
}

/** The command whose words the line begins with; the longest, so that `devices add` is not `devices`. */
function findCommand(args: readonly string[]): { command: Command; rest: string[] } | undefined {
  return commands
    .filter((command) => wordsOf(command).every((word, index) => args[index] === word))
    .map((command) => ({ command, rest: args.slice(wordsOf(command).length) }))
    .sort((a, b) => a.rest.length - b.rest.length)[0];
}

const wordsOf = ({ usage }: Command): string[] =>
  usage.split(" ").filter((word) => /^[a-z][a-z-]*$/.test(word));

/** What is typed for those commands whose words are so. */
const namesOf = (isMeant: (name: string, about: string) => boolean): string[] =>
  commands.flatMap((command) => {
    const name = wordsOf(command).join(" ");
    return isMeant(name, command.about) ? [name] : [];
  });

function unknownCommand(terminal: Terminal, [first = ""]: readonly string[]): number {
  terminal.say(`pumice: no command ${first}; ${commandHint(first)}`);
  return 2;
}

function commandHint(first: string): string {
  if (first.startsWith("-")) return "options stand after the command: pumice COMMAND --url URL";
  const has = (text: string): boolean => text.split(/\W+/).includes(first);
  const named = namesOf(has);
  if (named.length > 0) return `there is ${named.join(", ")}`;
  const words = commands.map(({ usage }) => usage.split(" ")[0] ?? "");
  const near = nearestWord(first, words);
  if (near) return `did you mean ${near}?`;
  const told = first.length > 3 ? namesOf((_, about) => has(about)) : [];
  return told.length > 0 ? `perhaps ${told.join(", ")}?` : "see pumice --help";
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

function usageOf({ usage, about, help = [], isLocal = false }: Command): string {
  const connection = "--url URL, --token-file FILE   the control plane and the token to use";
  const lines = isLocal ? help : [...help, connection];
  return [
    `usage: pumice ${usage}`,
    "",
    about,
    "",
    ...lines.map((line) => `  ${line}`.trimEnd()),
  ].join("\n");
}

function print(terminal: Terminal, text: string): number {
  terminal.out(text);
  return 0;
}
