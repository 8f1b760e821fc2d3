import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { VERSION } from "#protocol/version.ts";

export const SERVER_IMAGE = "localhost/pumice-server:latest";
export const WORKER_IMAGE = "localhost/pumice-worker:latest";

/** Runs the client that has the images; what it prints. */
export type Client = (...words: string[]) => string;

/**
 * Builds the images of a release, of its archives alone, as docs/releases.md says. Their bases can't be had from a registry here: they
 * are made of Debian's packages, and have the same names. The worker's is the slim one. Takes half a minute.
 *
 * @returns the folder of the container files
 */
export function buildImages(folder: string, release: string, client: Client): string {
  const unpack = (name: string) =>
    execFileSync("tar", ["-xzf", path.join(release, `${name}-${VERSION}.tar.gz`), "-C", folder]);
  unpack("pumice-server");
  unpack("pumice-infra");
  const containers = path.join(folder, "containers");
  const base = path.join(folder, "base.tar");
  execFileSync("mmdebstrap", ["--variant=minbase", "--quiet", "trixie", base], { stdio: "pipe" });
  const debian = baseOf(containers, "worker");
  client("import", base, debian);
  const nodeFolder = path.join(folder, "node");
  mkdirSync(nodeFolder);
  copyFileSync(process.execPath, path.join(nodeFolder, "node"));
  writeFileSync(
    path.join(nodeFolder, "Dockerfile"),
    `FROM ${debian}\nCOPY node /usr/local/bin/node\n`,
  );
  client("build", "--tag", baseOf(containers, "server"), nodeFolder);
  const build = (name: string, tag: string, context: string, ...more: string[]): string =>
    client(
      ...["build", "--network=host", "--tag", tag, ...more],
      ...["--file", path.join(containers, name, "Containerfile"), context],
    );
  build("server", SERVER_IMAGE, path.join(folder, `pumice-${VERSION}`));
  build("worker", WORKER_IMAGE, release, "--build-arg", "TOOLS=slim");
  return containers;
}

/** The image that a Containerfile begins with. */
function baseOf(containers: string, name: string): string {
  const text = readFileSync(path.join(containers, name, "Containerfile"), "utf8");
  const base = /^ARG BASE=(\S+)$/m.exec(text)?.[1];
  if (base === undefined) throw new Error(`${name}/Containerfile: expected ARG BASE=IMAGE`);
  return base;
}
