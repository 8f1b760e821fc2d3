import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { bundleWorker, type WorkerBundle } from "../../scripts/bundle-worker.ts";

/** pumice-worker as scripts/bundle.mjs bundles it, but packed faster, and for `options`. Remove it after the tests. */
export async function workerProgram(
  options: Pick<WorkerBundle, "plugins" | "notices"> = {},
): Promise<{ file: string; remove: () => void }> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-worker-program-"));
  const file = path.join(folder, "pumice-worker.cjs");
  await bundleWorker({ outfile: file, isForOnce: true, ...options });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
