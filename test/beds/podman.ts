import { execFileSync } from "node:child_process";
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

/** Private containers: a store, a client on the PATH and an image of its own; no daemon, no registry, no network. */
export interface PodmanBed extends Bed {
  /** Folder with a `podman` that uses the private store; to be first on the PATH. */
  readonly bin: string;
  /** Runs the private podman; what it prints. */
  podman(...words: string[]): string;
}

/** What the image is called in the documented jobs; podman finds its own before any registry's. */
const IMAGE = "debian:12";

export const dictionary = `{% extends 'docker.jinja2' %}
`;

/** @throws Error with the reason when no container can run on this machine. */
export async function start(folder: string, say: (line: string) => void): Promise<PodmanBed> {
  const bin = path.join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(path.join(folder, "containers.conf"), CONFIGURATION);
  writeFileSync(path.join(bin, "podman"), client(folder), { mode: 0o755 });
  const podman = (...words: string[]): string =>
    execFileSync(path.join(bin, "podman"), words, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  const root = path.join(folder, "root");
  fillRoot(root);
  const archive = path.join(folder, "root.tar");
  execFileSync("tar", ["-C", root, "-cf", archive, "."]);
  say("importing an image");
  podman("import", "--change", "CMD=/bin/sh", archive, IMAGE);
  podman("run", "--rm", "--init", IMAGE, "/bin/true");
  return {
    dictionary,
    bin,
    podman,
    hints: [
      `Containers are in a store of their own: export PATH=${bin}:$PATH and let the worker's settings have container_client: podman`,
      `Its only image is ${IMAGE}: a job has to say local: true`,
    ],
    close: async () => {
      podman("rm", "--all", "--force", "--time", "0");
      podman("rmi", "--all", "--force");
      // Its layers belong to other users and are mounted: only podman can tell.
      execFileSync("rm", ["-rf", path.join(folder, "store"), path.join(folder, "run")]);
    },
  };
}

/** What every container gets without being asked: nothing of this machine's network, limits that a build machine has. */
const CONFIGURATION = `[containers]
netns = "none"
seccomp_profile = "unconfined"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
events_logger = "none"
cgroup_manager = "cgroupfs"
runtime = "runc"
`;

const client = (folder: string): string => `#!/bin/sh
export CONTAINERS_CONF=${path.join(folder, "containers.conf")}
exec ${programPath("podman")} --root ${path.join(folder, "store")} --runroot ${path.join(folder, "run")} \\
  --tmpdir ${path.join(folder, "tmp")} --storage-driver vfs "$@"
`;

/** A root file system of this machine's busybox and bash. */
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

const programPath = (name: string): string =>
  execFileSync("sh", ["-c", 'command -v "$1"', "sh", name], { encoding: "utf8" }).trim();
