import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

/** pumice-worker as one file, bundled as scripts/bundle.mjs does. Remove it after the tests. */
export async function workerProgram(): Promise<{ file: string; remove: () => void }> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-worker-program-"));
  const file = path.join(folder, "pumice-worker.cjs");
  await build({
    entryPoints: [path.join(root, "worker/main.ts")],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
  });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
