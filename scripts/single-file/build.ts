import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";
import * as v from "valibot";
import { PLATFORMS, type Platform, versionSchema, workerFileName } from "#protocol/release.ts";
import { VERSION } from "#protocol/version.ts";
import { buildWithBun } from "./bun-file.ts";
import { buildWithNode } from "./node-file.ts";
import { CHECKSUMS, readKey, writeRelease } from "./release-files.ts";

const HELP = `scripts/build [x64] [arm64] [armv7] [--key FILE] [--out DIR] [--version VERSION]

Builds pumice-worker as one file for each platform named, or for all of them, and beside the files
SHA256SUMS, manifest.json and, with a key, manifest.json.sig. The same sources give the same bytes.

  --key FILE   signs the manifest: an Ed25519 private key in PEM form (PKCS 8); default
               $PUMICE_RELEASE_KEY, without which the manifest stays unsigned
  --out DIR    where to; default dist
  --version V  another version than the sources' own, to try an upgrade
`;
const root = path.resolve(import.meta.dirname, "../..");
const BUILDERS: Record<
  Platform,
  (platform: Platform, version: string, folder: string) => Promise<void>
> = {
  "linux-x64": buildWithBun,
  "linux-arm64": buildWithBun,
  // Bun has no build for ARMv7.
  "linux-armv7": buildWithNode,
};

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      key: { type: "string" },
      out: { type: "string" },
      version: { type: "string", default: VERSION },
      help: { type: "boolean" },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const platforms = positionals.length === 0 ? PLATFORMS : positionals.map(platformCalled);
  const { version } = values;
  if (!v.safeParse(versionSchema, version).success) {
    throw new Error(`${version} is no version such as 1.2.3`);
  }
  const keyFile = values.key ?? process.env["PUMICE_RELEASE_KEY"];
  const key = keyFile ? readKey(keyFile) : undefined;
  const out = path.resolve(values.out ?? path.join(root, "dist"));
  await mkdir(out, { recursive: true });
  // Built beside, then moved: whoever reads meanwhile finds old files or new ones, each whole.
  const fresh = await mkdtemp(path.join(out, ".build-"));
  try {
    for (const platform of new Set(platforms)) {
      process.stderr.write(`Building ${workerFileName(platform)} ...\n`);
      await BUILDERS[platform](platform, version, fresh);
    }
    const names = await writeRelease(fresh, [...new Set(platforms)], version, key);
    for (const name of names) await rename(path.join(fresh, name), path.join(out, name));
    if (!key) await rm(path.join(out, "manifest.json.sig"), { force: true });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  if (!key) {
    process.stderr.write("The manifest is unsigned: no --key was given; workers refuse it.\n");
  }
  process.stdout.write(`${path.join(out, CHECKSUMS)}\n`);
}

function platformCalled(word: string): Platform {
  const platform = PLATFORMS.find((one) => one === `linux-${word}` || one === word);
  if (!platform) throw new Error(`no platform is called ${word}: expected x64, arm64 or armv7`);
  return platform;
}

main().catch((error: unknown) => {
  process.stderr.write(`build: ${(error as Error).message}\n`);
  process.exitCode = 2;
});
