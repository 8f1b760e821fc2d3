import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { build } from "esbuild";

const root = path.resolve(import.meta.dirname, "../..");

/** pumice-worker as one file, with the stand-in in place of the runner. Remove it after the tests. */
export async function agentProgram(): Promise<{ file: string; remove(): void }> {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-agent-program-"));
  const file = path.join(folder, "pumice-worker.cjs");
  await build({
    entryPoints: [path.join(root, "worker/main.ts")],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["./run-local.ts"],
    plugins: [
      {
        name: "stand-in",
        setup: (bundler) =>
          bundler.onResolve({ filter: /^\.\/runner\.ts$/ }, () => ({
            path: path.join(import.meta.dirname, "stand-in-runner.ts"),
          })),
      },
    ],
  });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
