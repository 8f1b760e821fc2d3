import path from "node:path";
import type { Platform } from "#protocol/release.ts";

/** Set by scripts/bundle-worker.ts in a script that is compiled, with its runtime, into one file. */
declare const PUMICE_PLATFORM: Platform | undefined;

/** The platform this is the single file of; undefined when a runtime runs a script. */
export const singleFilePlatform: Platform | undefined =
  typeof PUMICE_PLATFORM === "undefined" ? undefined : PUMICE_PLATFORM;

/**
 * Command line that runs this program again with other arguments: the runtime and its script, or the single file alone.
 * `PUMICE_WORKER_PROGRAM` in the environment names a program to run instead, for a file that does not run by
 * itself (another machine's, in an emulator).
 */
export function rerunCommand(args: string[]): [command: string, ...args: string[]] {
  const program = process.env["PUMICE_WORKER_PROGRAM"];
  if (program) return [program, ...args];
  if (singleFilePlatform) return [process.execPath, ...args];
  return [process.execPath, ...process.execArgv, path.resolve(process.argv[1] ?? ""), ...args];
}
