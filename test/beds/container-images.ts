import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");
export const containers = path.join(root, "infra/containers");

export const SERVER_IMAGE = "localhost/pumice-server:latest";
export const WORKER_IMAGE = "localhost/pumice-worker:latest";

/** Runs the client that has the images; what it prints. */
export type Client = (...words: string[]) => string;

/**
 * Builds the images of infra/containers as their files say. Their bases can't be had from a registry here: they are made of
 * Debian's packages, and have the same names. The worker's is the slim one. Takes half a minute.
 */
export function buildImages(folder: string, client: Client): void {
  const base = path.join(folder, "base.tar");
  execFileSync("mmdebstrap", ["--variant=minbase", "--quiet", "trixie", base], { stdio: "pipe" });
  const debian = baseOf("worker");
  client("import", base, debian);
  const nodeFolder = path.join(folder, "node");
  mkdirSync(nodeFolder);
  copyFileSync(process.execPath, path.join(nodeFolder, "node"));
  writeFileSync(
    path.join(nodeFolder, "Dockerfile"),
    `FROM ${debian}\nCOPY node /usr/local/bin/node\n`,
  );
  client("build", "--tag", baseOf("server"), nodeFolder);
  const context = buildContext(folder);
  const build = (name: string, tag: string, ...more: string[]): string =>
    client(
      ...["build", "--network=host", "--tag", tag, ...more],
      ...["--file", path.join(containers, name, "Containerfile"), context],
    );
  build("server", SERVER_IMAGE);
  build("worker", WORKER_IMAGE, "--build-arg", "TOOLS=slim");
}

/** What `dist/` is to the files: the bundled control plane, and the worker for this machine. */
function buildContext(folder: string): string {
  const context = path.join(folder, "dist");
  // As a person would: whatever has changed since is bundled again.
  execFileSync(path.join(root, "scripts/pumice"), ["--version"], { stdio: "ignore" });
  execFileSync(path.join(root, "scripts/build"), ["x64", "--out", context], { stdio: "ignore" });
  const files = ["LICENSE", "THIRD-PARTY-NOTICES", "job.schema.json", "openapi.json"];
  const code = ["pumice.mjs", "planner.mjs", "device-templates", "ui", "docs-site"];
  for (const name of [...files, ...code]) {
    cpSync(path.join(root, "dist", name), path.join(context, name), { recursive: true });
  }
  return context;
}

/** The image that a Containerfile begins with. */
function baseOf(name: string): string {
  const text = readFileSync(path.join(containers, name, "Containerfile"), "utf8");
  const base = /^ARG BASE=(\S+)$/m.exec(text)?.[1];
  if (base === undefined) throw new Error(`${name}/Containerfile: expected ARG BASE=IMAGE`);
  return base;
}
