import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import type { Bed } from "./bed.ts";

/** Private containers: a store, a client on the PATH and an image of their own; no registry, and no network unless asked for. */
export interface ContainerBed extends Bed {
  /** The client, as the worker's setting `container_client` names it. */
  readonly name: "docker" | "podman";
  /** Folder with a client that uses the private store; to be first on the PATH. */
  readonly bin: string;
  /** Runs the private client; what it prints. */
  client(...words: string[]): string;
}

/** What the image is called in the documented jobs; a client finds its own before any registry's. */
export const IMAGE = "debian:12";

/** The image as a tar archive to be imported: this machine's busybox and bash. */
export function packRoot(folder: string): string {
  const root = path.join(folder, "root");
  fillRoot(root);
  const archive = path.join(folder, "root.tar");
  execFileSync("tar", ["-C", root, "-cf", archive, "."]);
  return archive;
}

function fillRoot(root: string): void {
  for (const name of ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr"]) {
    mkdirSync(path.join(root, name), { recursive: true });
  }
  copyWithLibraries(programPath("busybox"), root, "bin/busybox");
  copyWithLibraries(programPath("bash"), root, "bin/bash");
  const applets = execFileSync("busybox", ["--list"], { encoding: "utf8" }).trim().split("\n");
  for (const applet of applets) {
    const link = path.join(root, "bin", applet);
    if (!existsSync(link)) symlinkSync("busybox", link);
  }
  // As Debian's.
  writeFileSync(path.join(root, "etc/bash.bashrc"), "PS1='\\u@\\h:\\w\\$ '\n");
  writeFileSync(path.join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n");
}

function copyWithLibraries(program: string, root: string, at: string): void {
  copyFileSync(program, path.join(root, at));
  let needed: string;
  try {
    needed = execFileSync("ldd", [program], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return; // A static program.
  }
  for (const [library] of needed.matchAll(/\/\S+/g)) {
    const target = path.join(root, library);
    mkdirSync(path.dirname(target), { recursive: true });
    if (!existsSync(target)) copyFileSync(realpathSync(library), target);
  }
}

/** Where a program is; to be asked before a wrapper of it is on the PATH. @throws Error when it isn't there. */
export function programPath(name: string): string {
  const found = spawnSync("sh", ["-c", 'command -v "$1"', "sh", name], { encoding: "utf8" });
  if (found.status !== 0) throw new Error(`there is no ${name}`);
  return found.stdout.trim();
}

export const hasProgram = (name: string): boolean =>
  spawnSync("sh", ["-c", 'command -v "$1"', "sh", name], { stdio: "ignore" }).status === 0;

/** Whether tests must be skipped for want of a program; says so. */
export function lacks(name: string): boolean {
  if (hasProgram(name)) return false;
  console.warn(`skipped: this machine has no ${name}`);
  return true;
}
