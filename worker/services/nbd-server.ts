import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runCommand } from "../host/spawn.ts";
import type { RunContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { servicesAddress } from "./services-address.ts";

/**
 * Serves a file as network block device with Debian's `nbd-server`, as its default export (also by the names "default"
 * and "nbdroot"), on the first of these ports that is free, until the job ends. Clients may write to the file.
 *
 * @throws JobFailure Infrastructure when no port is free or the server doesn't start.
 */
export async function startNbdServer(
  {
    job,
    level,
    defer,
    log,
    signal,
  }: Pick<RunContext, "job" | "level" | "defer" | "log" | "signal">,
  file: string,
  ports: readonly number[],
): Promise<number> {
  const address = servicesAddress(job.dispatcher);
  const base = path.join(job.scratch, `nbd-server-${level}`);
  const config = `${base}.conf`;
  let said = "";
  for (const port of ports) {
    await writeFile(config, configuration(file));
    // It goes into the background, out of our process group: only this file tells which process it is.
    const pidFile = `${base}-${port}.pid`;
    // Only a file on the command line is served to clients that name no export, as nbd-client and QEMU do.
    const where = [`${address}@${port}`, file];
    const argv = ["nbd-server", ...where, "-C", config, "-p", pidFile] as const;
    const { status, output } = await runCommand(argv);
    said = output.trim().split("\n").at(-1) ?? "";
    const pid = status === 0 ? await readPid(pidFile) : undefined;
    if (pid === undefined) continue;
    defer(() => endGroup(pid));
    if (!(await answers(address, port, pid, signal))) continue;
    log.debug(`nbd-server serves ${path.basename(file)} on ${address}:${port}`);
    return port;
  }
  const message = `nbd-server can't serve on ${address}, port ${ports.join(", ")}: ${said}`;
  throw new JobFailure("Infrastructure", message);
}

const configuration = (file: string): string =>
  [
    "[generic]",
    "allowlist = true",
    ...["default", "nbdroot"].flatMap((name) => [`[${name}]`, `exportname = ${file}`]),
    "",
  ].join("\n");

/** It may be written after what we started has ended. */
async function readPid(file: string): Promise<number | undefined> {
  for (let tries = 0; tries < 60; tries += 1) {
    const pid = Number((await readFile(file, "utf8").catch(() => "")).trim());
    if (pid > 1) return pid;
    await sleep(50);
  }
  return undefined;
}

/** Whether it is our server that answers: it ends when it can't have the port. */
async function answers(
  address: string,
  port: number,
  pid: number,
  signal: AbortSignal,
): Promise<boolean> {
  const host = address === "0.0.0.0" ? "127.0.0.1" : address;
  for (let tries = 0; tries < 100 && isAlive(pid); tries += 1) {
    signal.throwIfAborted();
    if (await canConnect(host, port)) return isAlive(pid);
    await sleep(50);
  }
  return false;
}

const canConnect = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port });
    const done = (isUp: boolean): void => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });

/** The server and its process for each connection; it made a group of its own. */
async function endGroup(pid: number): Promise<void> {
  signalGroup(pid, "SIGTERM");
  for (let tries = 0; tries < 40 && isAlive(pid); tries += 1) await sleep(50);
  signalGroup(pid, "SIGKILL");
}

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch {
    // It has ended.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
