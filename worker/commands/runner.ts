import { writeFileSync } from "node:fs";
import { jobDirectoryAt } from "../host/job-directory.ts";
import { claimRunner } from "../host/runner-claim.ts";
import { UsageError } from "./command-line.ts";

/** Internal: what the agent starts for each job. Does nothing when the job has a runner already. */
export async function runner([folder]: string[]): Promise<number> {
  if (!folder) throw new UsageError("runner: expected a job's folder");
  if (!claimRunner(jobDirectoryAt(folder).runner)) return 0;
  goFirst();
  const { runJobDirectory } = await import("../runner.ts");
  return runJobDirectory(folder);
}

/** When memory runs out the kernel is to end a job and what it has started, not the agent. Its choice is its own. */
function goFirst(): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", "500");
  } catch {
    // A container may forbid it.
  }
}
