import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build, type BuildOptions } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

/** pumice-worker as one file, bundled as scripts/bundle.mjs does but for `options`. Remove it after the tests. */
export async function workerProgram(
  options: Pick<BuildOptions, "external" | "plugins"> = {},
): Promise<{ file: string; remove: () => void }> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-worker-program-"));
  const file = path.join(folder, "pumice-worker.cjs");
  await build({
    entryPoints: [path.join(root, "worker/main.ts")],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    ...options,
  });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
