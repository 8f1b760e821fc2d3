import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { hasProgram, IMAGE, packRoot, programPath, type ContainerBed } from "./container-bed.ts";

export const dictionary = `{% extends 'docker.jinja2' %}
`;

/**
 * Docker's own daemon, of Debian's docker.io, with all it has in a folder; it changes neither the machine's networks nor its
 * packet filter. It has to be root.
 *
 * @throws Error with the reason when it can't run on this machine.
 */
export async function start(folder: string, say: (line: string) => void): Promise<ContainerBed> {
  const at = (name: string): string => path.join(folder, name);
  const bin = at("bin");
  mkdirSync(bin, { recursive: true });
  const socket = `unix://${at("docker.sock")}`;
  const wrap = (name: string): void =>
    writeFileSync(path.join(bin, name), wrapper(programPath(name), socket, at("config")), {
      mode: 0o755,
    });
  wrap("docker");
  if (hasProgram("docker-compose")) wrap("docker-compose");
  const docker = (...words: string[]): string =>
    execFileSync(path.join(bin, "docker"), words, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  const stop = await startDaemon(folder, socket);
  try {
    say("importing an image");
    docker("import", "--change", 'CMD ["/bin/sh"]', packRoot(folder), IMAGE);
    docker("run", "--rm", "--init", IMAGE, "/bin/true");
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    dictionary,
    name: "docker",
    bin,
    client: docker,
    hints: [
      `The daemon is at ${socket}: export PATH=${bin}:$PATH`,
      `Its only image is ${IMAGE}: a job has to say local: true`,
    ],
    close: async () => {
      const left = docker("ps", "--all", "--quiet").split("\n").filter(Boolean);
      if (left.length > 0) docker("rm", "--force", ...left);
      await stop();
    },
  };
}

/** A client as it is, for this daemon and with settings of its own. */
const wrapper = (program: string, socket: string, config: string): string => `#!/bin/sh
export DOCKER_HOST=${socket} DOCKER_CONFIG=${config}
exec ${program} "$@"
`;

/** Starts the daemon; what it returns ends it. `vfs` runs on any file system; it copies every layer whole. */
export async function startDaemon(
  folder: string,
  socket: string,
  storage: "vfs" | "overlay2" = "vfs",
): Promise<() => Promise<void>> {
  const log = path.join(folder, "dockerd.log");
  const file = openSync(log, "w");
  const folders = ["data-root", "exec-root"].map((name) => `--${name}=${path.join(folder, name)}`);
  const daemon = spawn(
    programPath("dockerd"),
    [
      ...[`--storage-driver=${storage}`, "--iptables=false", "--ip-masq=false", "--bridge=none"],
      ...[...folders, `--pidfile=${path.join(folder, "dockerd.pid")}`, `--host=${socket}`],
    ],
    // A group of its own: a person's Ctrl-C is for the bed, which then ends it.
    { stdio: ["ignore", file, file], detached: true },
  );
  closeSync(file);
  const exited = once(daemon, "exit");
  const said = (): string => (existsSync(log) ? readFileSync(log, "utf8") : "");
  while (!said().includes("API listen on ")) {
    const next = new Promise((resolve) => setTimeout(resolve, 50, "again"));
    if ((await Promise.race([exited, next])) === "again") continue;
    throw new Error(`dockerd ended: ${said().trim().split("\n").at(-1)}`);
  }
  return async () => {
    daemon.kill();
    await exited;
    unmountBelow(folder);
  };
}

/** The network namespace of containers on the host's network stays mounted, and the folder could not be removed. */
function unmountBelow(folder: string): void {
  const places = readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "");
  for (const place of places.filter((at) => at.startsWith(`${folder}/`)).reverse()) {
    execFileSync("umount", [place]);
  }
}
