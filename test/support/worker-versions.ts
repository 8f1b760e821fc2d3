import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Plugin } from "esbuild";
import { bundleWorker } from "../../scripts/bundle-worker.ts";
import { root } from "./real-lab.ts";

const BUN = path.join(root, "node_modules/@oven/bun-linux-x64/bin/bun");

/** The worker as an executable that is `version`: a script with its runtime beside it, or one file as scripts/build makes it. */
export async function workerVersion(
  folder: string,
  version: string,
  form: "script" | "single file",
): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const bundle = path.join(folder, `worker-${version}.cjs`);
  await bundleWorker({
    outfile: bundle,
    plugins: [saying(version)],
    ...(form === "single file" ? { platform: "linux-x64" } : {}),
  });
  const file = path.join(folder, `pumice-worker-${version}`);
  if (form === "single file") compile(bundle, file);
  else writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${bundle}" "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}

/** An executable that has a version and is of no use: `body` is what it does when it is started. */
export function brokenVersion(folder: string, version: string, body: string): string {
  const file = path.join(folder, `pumice-worker-${version}`);
  const script = `#!/bin/sh\n[ "$1" = --version ] && exec echo "pumice-worker ${version}"\n${body}\n`;
  writeFileSync(file, script, { mode: 0o755 });
  return file;
}

function compile(bundle: string, file: string): void {
  const folder = path.dirname(bundle);
  const flags = ["--compile", "--bytecode", "--format=cjs", "--target=bun-linux-x64"];
  const runtime = `--compile-executable-path=${BUN}`;
  const quiet = ["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"];
  const out = `--outfile=${path.basename(file)}`;
  execFileSync(BUN, ["build", path.basename(bundle), ...flags, runtime, ...quiet, out], {
    cwd: folder,
    stdio: "ignore",
  });
}

const saying = (version: string): Plugin => ({
  name: "another version",
  setup: (bundler) =>
    bundler.onLoad({ filter: /protocol\/version\.ts$/ }, () => ({
      contents: `export const VERSION = ${JSON.stringify(version)};`,
      loader: "ts",
    })),
});
