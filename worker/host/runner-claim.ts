import { existsSync } from "node:fs";
import { createFileAtomic, readJsonFile } from "./atomic-file.ts";
import { identityOf, type ProcessIdentity } from "./process-table.ts";

/**
 * Makes this process the job's runner by writing `runner.json`, once and for ever: false when another
 * process was there first. An agent that was killed between starting a runner and seeing it start leaves
 * its successor no choice but to start another; of the two exactly one runs the job.
 */
export function claimRunner(file: string): boolean {
  const self = identityOf(process.pid);
  if (!self) throw new Error("this process is not in /proc: is it mounted?");
  return createFileAtomic(file, JSON.stringify(self));
}

/** Claims a job of which there is no trace: nobody is to run it any more. */
export const claimForNobody = (file: string): boolean =>
  createFileAtomic(file, JSON.stringify({ lost: true }));

/** Whether there was no trace of the job left when its folder was made. */
export const isLost = (file: string): boolean =>
  (readJsonFile(file) as { lost?: unknown } | null | undefined)?.lost === true;

/** Whether a process has claimed the job, also one whose claim can't be read any more. */
export const isClaimed = (file: string): boolean => existsSync(file);

/** The process that claimed the job, running or not; undefined before, and when a disk has spoilt the claim. */
export function readRunner(file: string): ProcessIdentity | undefined {
  const content = readJsonFile(file) as Partial<ProcessIdentity> | null | undefined;
  if (typeof content?.pid !== "number" || typeof content.started !== "string") return undefined;
  return { pid: content.pid, started: content.started };
}
