import { realTerminal } from "../control-plane/cli/terminal.ts";
import { runInfra } from "./run.ts";

/** The program of `npm run deploy` and its like: Ctrl-C stops looking, a second one ends it at once. */
const stop = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => (stop.signal.aborted ? process.exit(130) : stop.abort()));
}
runInfra(process.argv.slice(2), realTerminal(), stop.signal).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`cloud: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 70;
  },
);
