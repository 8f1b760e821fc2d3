import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { IMAGE, packRoot, programPath, type ContainerBed } from "./container-bed.ts";

export const dictionary = `{% extends 'docker.jinja2' %}
`;

/** Podman with a store and an image of its own. @throws Error with the reason when no container can run on this machine. */
export async function start(folder: string, say: (line: string) => void): Promise<ContainerBed> {
  const bin = path.join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(path.join(folder, "containers.conf"), configuration(folder));
  writeFileSync(path.join(bin, "podman"), client(folder), { mode: 0o755 });
  const podman = (...words: string[]): string =>
    execFileSync(path.join(bin, "podman"), words, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  say("importing an image");
  podman("import", "--change", "CMD=/bin/sh", packRoot(folder), IMAGE);
  podman("run", "--rm", "--init", IMAGE, "/bin/true");
  return {
    dictionary,
    name: "podman",
    bin,
    client: podman,
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
const configuration = (folder: string): string => `[containers]
netns = "none"
seccomp_profile = "unconfined"
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
events_logger = "none"
cgroup_manager = "cgroupfs"
runtime = "runc"
[network]
network_config_dir = "${path.join(folder, "networks")}"
`;

const client = (folder: string): string => `#!/bin/sh
export CONTAINERS_CONF=${path.join(folder, "containers.conf")}
exec ${programPath("podman")} --root ${path.join(folder, "store")} --runroot ${path.join(folder, "run")} \\
  --tmpdir ${path.join(folder, "tmp")} --storage-driver vfs "$@"
`;
