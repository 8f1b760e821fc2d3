import { runCli } from "./main.ts";
import { realTerminal } from "./terminal.ts";

/** The program `pumice`: Ctrl-C asks the command to stop, a second one ends it. */
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => (stop.signal.aborted ? process.exit(130) : stop.abort()));
}
runCli(process.argv.slice(2), realTerminal(), stop.signal).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`pumice: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 70;
  },
);
