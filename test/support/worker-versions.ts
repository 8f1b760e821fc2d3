import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Plugin } from "esbuild";
import { workerFileName, type Platform } from "#protocol/release.ts";
import { bundleWorker } from "../../scripts/bundle-worker.ts";
import { root } from "./real-lab.ts";

/** The worker as a script that is `version`, which needs its runtime and a bundle beside it: made in a second. */
export async function workerScript(folder: string, version: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const bundle = path.join(folder, `worker-${version}.cjs`);
  await bundleWorker({ outfile: bundle, isForOnce: true, plugins: [saying(version)] });
  const file = path.join(folder, `pumice-worker-${version}`);
  writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${bundle}" "$@"\n`, { mode: 0o755 });
  return file;
}

/** The worker as scripts/build makes it: one file with its signed manifest in `folder`. */
export function workerBuild(
  folder: string,
  version: string,
  keyFile: string,
  platform: Platform = "linux-x64",
): string {
  const target = platform.slice("linux-".length);
  const args = [target, "--version", version, "--key", keyFile, "--out", folder];
  execFileSync(path.join(root, "scripts/build"), args, { stdio: "ignore" });
  return path.join(folder, workerFileName(platform));
}

/** An executable that has a version and is of no use: `body` is what it does when it is started. */
export function brokenVersion(folder: string, version: string, body: string): string {
  const file = path.join(folder, `pumice-worker-${version}`);
  const script = `#!/bin/sh\n[ "$1" = --version ] && exec echo "pumice-worker ${version}"\n${body}\n`;
  writeFileSync(file, script, { mode: 0o755 });
  return file;
}

const saying = (version: string): Plugin => ({
  name: "another version",
  setup: (bundler) =>
    bundler.onLoad({ filter: /protocol\/version\.ts$/ }, () => ({
      contents: `export const VERSION = ${JSON.stringify(version)};`,
      loader: "ts",
    })),
});
