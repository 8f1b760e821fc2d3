import { createHash, createPrivateKey, sign, type KeyObject } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import {
  type Manifest,
  type Platform,
  type ReleaseFile,
  workerFileName,
} from "#protocol/release.ts";
import { WORKER_PROTOCOL } from "#protocol/worker-api.ts";

export const CHECKSUMS = "SHA256SUMS";
const root = path.resolve(import.meta.dirname, "../..");

/** Writes what tells of the files in `folder`; all their names, in the order in which to publish them. */
export async function writeRelease(
  folder: string,
  platforms: Platform[],
  version: string,
  key: KeyObject | undefined,
): Promise<string[]> {
  const files = await Promise.all(platforms.map((platform) => measured(folder, platform)));
  const commit = cleanCommit();
  const manifest: Manifest = {
    version,
    protocol: WORKER_PROTOCOL,
    ...(commit ? { commit } : {}),
    files,
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeFile(path.join(folder, "manifest.json"), text);
  const sums = files.map(({ sha256, name }) => `${sha256}  ${name}\n`).join("");
  await writeFile(path.join(folder, CHECKSUMS), sums);
  if (key) {
    const signature = sign(null, Buffer.from(text), key).toString("base64");
    await writeFile(path.join(folder, "manifest.json.sig"), `${signature}\n`);
  }
  process.stdout.write(sums);
  const names = [...files.map(({ name }) => name), CHECKSUMS, "manifest.json"];
  return key ? [...names, "manifest.json.sig"] : names;
}

async function measured(folder: string, platform: Platform): Promise<ReleaseFile> {
  const name = workerFileName(platform);
  const bytes = await readFile(path.join(folder, name));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { platform, name, bytes: bytes.length, sha256 };
}

/** @throws Error when the file is no Ed25519 private key in PEM form. */
export function readKey(file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(file, "utf8"));
  } catch (cause) {
    const why = (cause as Error).message;
    throw new Error(`${file} can't be read as a private key in PEM form: ${why}`, { cause });
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new Error(`${file} is a key of the kind ${key.asymmetricKeyType}: expected ed25519`);
  }
  return key;
}

/** The commit of the checkout; undefined when a file differs from it, or there is no git. */
function cleanCommit(): string | undefined {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    return git("status", "--porcelain") === "" ? git("rev-parse", "HEAD").trim() : undefined;
  } catch {
    return undefined;
  }
}
