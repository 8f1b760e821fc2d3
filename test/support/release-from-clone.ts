import { execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { VERSION } from "#protocol/version.ts";
import { root } from "./real-lab.ts";

/** A checkout with nothing in it but what is committed, and the npm packages of this one. */
export function cleanClone(): string {
  // On this file system: the packages are links to the same files.
  const clone = mkdtempSync(path.join(root, "dist.release-"));
  const run = (program: string, ...args: string[]) =>
    void execFileSync(program, args, { stdio: "ignore" });
  run("git", "clone", "--quiet", "--local", root, path.join(clone, "checkout"));
  run("cp", "-al", path.join(root, "node_modules"), path.join(clone, "checkout/node_modules"));
  return path.join(clone, "checkout");
}

export const release = (checkout: string, ...args: string[]) => {
  const env = { ...process.env, PUMICE_RELEASE_KEY: "" };
  const command = path.join(checkout, "scripts/release");
  return spawnSync(command, args, { encoding: "utf8", env });
};

/** Makes a key that signs, with its public half beside it. @returns its file. */
export function writeSigner(folder: string, name = "release.key"): string {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const file = path.join(folder, name);
  writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  writeFileSync(`${file}.pub`, publicKey.export({ type: "spki", format: "pem" }));
  return file;
}

export interface MadeRelease {
  readonly out: string;
  /** Takes the clone away. */
  remove(): void;
}

/** A release of what is committed, for these platforms, into `folder`/out. */
export function releaseFromClone(folder: string, ...platforms: string[]): MadeRelease {
  const checkout = cleanClone();
  const remove = () => rmSync(path.dirname(checkout), { recursive: true, force: true });
  const out = path.join(folder, "out");
  const key = writeSigner(folder);
  const { status, stderr } = release(checkout, VERSION, ...platforms, "--key", key, "--out", out);
  if (status !== 0 || !existsSync(path.join(out, "SHA256SUMS"))) {
    remove();
    throw new Error(`scripts/release ended with ${status}:\n${stderr}`);
  }
  return { out, remove };
}
