import { UsageError } from "./command-line.ts";

/** Internal: what the agent starts for a job whose runner was killed. */
export async function cleanUp([folder]: string[]): Promise<number> {
  if (!folder) throw new UsageError("clean-up: expected a job's folder");
  const { cleanUpJobDirectory } = await import("../clean-up.ts");
  return cleanUpJobDirectory(folder);
}
