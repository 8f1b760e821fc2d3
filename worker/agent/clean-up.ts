import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import type { JobDirectory } from "../host/job-directory.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { JOB_VARIABLE } from "./runner-process.ts";

/** A little more than it gives itself (worker/clean-up.ts). */
const LONGEST_MS = 330_000;

/**
 * Switches off, in a process of its own, what a job left on whose runner was killed: the DUT, containers, folders on
 * servers; the log has what was done. Says what went wrong, if anything; undefined also when `signal` is aborted meanwhile.
 */
export async function cleanUpAfter(
  { cleanUpCommand, clock }: AgentDeps,
  dir: JobDirectory,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [command, ...args] = cleanUpCommand(dir.root);
  const output = openOutput(dir.output);
  try {
    const child = spawn(command, args, {
      detached: true,
      cwd: dir.root,
      env: { ...process.env, [JOB_VARIABLE]: dir.root },
      stdio: ["ignore", output, output],
    });
    child.unref();
    const over = new AbortController();
    const ended = new Promise<string | undefined>((resolve) => {
      child.once("error", ({ message }) => resolve(`it could not be cleaned up after: ${message}`));
      child.once("exit", (code) => resolve(code === 0 ? undefined : FAILED));
    });
    const late = clock
      .sleep(LONGEST_MS, AbortSignal.any([signal, over.signal]))
      .then(() => (signal.aborted ? undefined : "cleaning up after it took too long"));
    const problem = await Promise.race([ended, late]);
    over.abort();
    return problem;
  } finally {
    if (output !== "ignore") closeSync(output);
  }
}

/** What it prints is for us only: a disk without room for it must not keep the device on. */
function openOutput(file: string): number | "ignore" {
  try {
    return openSync(file, "a", 0o600);
  } catch {
    return "ignore";
  }
}

const FAILED = "its device may still be on, see the log";
