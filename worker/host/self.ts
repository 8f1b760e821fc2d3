import { existsSync, realpathSync } from "node:fs";
import path from "node:path";

/**
 * Command line that runs this program again with other arguments: the runtime and its script, or, when
 * runtime and script are compiled into one file, that file alone.
 */
export function rerunCommand(args: string[]): [command: string, ...args: string[]] {
  const script = process.argv[1] ?? "";
  if (isCompiled(script)) return [process.execPath, ...args];
  return [process.execPath, ...process.execArgv, path.resolve(script), ...args];
}

/**
 * Bun names a script inside its own archive; Node.js is asked, from 20.16 on, and names before that the
 * executable, as it was called, again.
 */
function isCompiled(script: string): boolean {
  if (script.startsWith("/$bunfs/") || process.getBuiltinModule?.("node:sea")?.isSea()) return true;
  return !existsSync(script) || realpathSync(script) === realpathSync(process.execPath);
}
