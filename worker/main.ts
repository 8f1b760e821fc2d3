import { nearestWord } from "#protocol/nearest-word.ts";
import { VERSION } from "#protocol/version.ts";
import { print, UsageError } from "./commands/command-line.ts";
import { cleanUp } from "./commands/clean-up.ts";
import { cache } from "./commands/cache.ts";
import { doctor } from "./commands/doctor.ts";
import { enrol } from "./commands/enrol.ts";
import { HELP, helpOf } from "./commands/help.ts";
import { install } from "./commands/install.ts";
import { power } from "./commands/power.ts";
import { run } from "./commands/run.ts";
import { runner } from "./commands/runner.ts";
import { start } from "./commands/start.ts";
import { thirdPartyNotices } from "./third-party-notices.ts";

const COMMANDS: Record<string, (args: string[]) => Promise<number>> = {
  start,
  run,
  runner,
  "clean-up": cleanUp,
  doctor,
  power,
  enrol,
  install,
  cache,
  licences: async () => print(thirdPartyNotices()),
};

async function main([command = "", ...args]: string[]): Promise<number> {
  if (["--help", "-h", "help"].includes(command)) return print(HELP);
  if (command === "--version") return print(`pumice-worker ${VERSION}\n`);
  const action = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (!action) throw new UsageError(command ? unknown(command) : "no command given");
  const asksForHelp = args.includes("--help") || args.includes("-h");
  return asksForHelp ? print(helpOf(command)) : action(args);
}

function unknown(command: string): string {
  const near = nearestWord(command, Object.keys(COMMANDS));
  return `unknown command ${command}${near === undefined ? "" : `, did you mean ${near}?`}`;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
    // What a job left open (a socket, a timer) must not keep its process; only these may
    // have output on its way.
    if (!["run", "licences"].includes(process.argv[2] ?? "")) process.exit();
  },
  (error: unknown) => {
    const isUsage = error instanceof UsageError;
    const [command = ""] = process.argv.slice(2);
    const hint = Object.hasOwn(COMMANDS, command) ? `${command} --help` : "--help";
    const text = isUsage ? `${error.message}; see pumice-worker ${hint}` : describe(error);
    process.stderr.write(`pumice-worker: ${text}\n`);
    process.exit(isUsage ? 2 : 1);
  },
);

/** A file or network error says enough by its message; anything else is a bug and shows where. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error || error.constructor === Error
    ? error.message
    : (error.stack ?? error.message);
}
