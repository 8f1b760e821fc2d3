import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { workerFileName } from "#protocol/release.ts";
import { workerProgram } from "./worker-program.ts";

export interface BuiltWorker {
  /** What to start, before the worker's own arguments. */
  readonly command: readonly [program: string, ...args: string[]];
  readonly remove: () => void;
}

/**
 * The worker as labs install it: the one file that scripts/build makes for this machine. Where that can't be made, the bundle under
 * Node.js, and the reason is printed. Remove it after the tests.
 */
export async function builtWorker(): Promise<BuiltWorker> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-built-worker-"));
  const platform = `linux-${process.arch}`;
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    if (platform !== "linux-x64") throw new Error(`built for linux-x64, this is ${platform}`);
    const script = path.resolve(import.meta.dirname, "../../scripts/build");
    await promisify(execFile)(script, ["x64", "--out", dir]);
    return { command: [path.join(dir, workerFileName(platform))], remove };
  } catch (error) {
    remove();
    console.warn(`the bundle under Node.js in place of the worker's file: ${String(error)}`);
    const bundle = await workerProgram();
    return { command: [process.execPath, bundle.file], remove: bundle.remove };
  }
}
