import { chmod, mkdtemp, rename, rm } from "node:fs/promises";
import path from "node:path";
import { type Platform, workerFileName } from "#protocol/release.ts";
import { bundleWorker } from "../bundle-worker.ts";
import { npmPackage } from "./npm-package.ts";
import { runProgram } from "./run-program.ts";

const BUN_PACKAGES: Partial<Record<string, string>> = {
  x64: "@oven/bun-linux-x64",
  arm64: "@oven/bun-linux-aarch64",
};

/** Bun's npm package has no licence's text. */
const BUN = {
  name: "Bun (MIT)",
  text: `Bun is under the MIT licence. What is linked into it is under licences of its own; JavaScriptCore and WebKit's
other parts are under the LGPL 2. All of them, and how to link Bun with another WebKit: https://bun.com/docs/project/license`,
};

/** Makes a platform's file in `folder`: Bun's runtime for it, and the worker as bytecode, which starts in half the time. */
export async function buildWithBun(
  platform: Platform,
  version: string,
  folder: string,
): Promise<void> {
  const name = workerFileName(platform);
  const work = await mkdtemp(path.join(folder, "work-"));
  try {
    // Names without a folder: Bun writes them into the file.
    await bundleWorker({
      outfile: path.join(work, "pumice-worker.cjs"),
      platform,
      version,
      notices: [BUN],
    });
    await runProgram(
      [
        await bunFor(process.arch),
        "build",
        "pumice-worker.cjs",
        "--compile",
        "--bytecode",
        "--format=cjs",
        `--target=bun-${platform}`,
        // Without it Bun would fetch the runtime by itself.
        `--compile-executable-path=${await bunFor(platform.replace("linux-", ""))}`,
        // What lies in the folder where the worker is started is not its business.
        "--no-compile-autoload-dotenv",
        "--no-compile-autoload-bunfig",
        `--outfile=${name}`,
      ],
      { cwd: work },
    );
    await chmod(path.join(work, name), 0o755);
    await rename(path.join(work, name), path.join(folder, name));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function bunFor(arch: string): Promise<string> {
  const name = BUN_PACKAGES[arch];
  if (!name) throw new Error(`there is no Bun for ${arch}: build on x64 or arm64`);
  const file = path.join(await npmPackage(name), "bin/bun");
  await chmod(file, 0o755);
  return file;
}
