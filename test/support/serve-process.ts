import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";

export interface ServeProcess {
  readonly adminToken: string;
  readonly cloud?: undefined;
  url(): string;
  process(): ChildProcess;
  kill(): Promise<void>;
  /** At the same address as before. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** `pumice serve`, a bundle in `file`, as a process on a free port of loopback. It has ended when this throws. */
export async function serveProcess(
  file: string,
  dataDir: string,
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<ServeProcess> {
  let listen = "127.0.0.1:0";
  let url = "";
  let server: ChildProcess;
  async function start(): Promise<void> {
    // As scripts/pumice starts it.
    const args = [file, "serve", "--data", dataDir, "--listen", listen, ...more];
    server = spawn(process.execPath, ["--max-semi-space-size=8", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    url = await firstUrl(server);
    listen = new URL(url).host;
  }
  await start();
  return {
    adminToken: readFileSync(path.join(dataDir, "admin-token"), "utf8").trim(),
    url: () => url,
    process: () => server,
    kill: () => endProcess(server, "SIGKILL"),
    start,
    close: () => endProcess(server, "SIGTERM"),
  };
}

/** Sends the signal, unless it has ended, and waits for the end. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

async function firstUrl(child: ChildProcess): Promise<string> {
  let seen = "";
  return new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error(`pumice serve has ended: ${seen}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data: Buffer) => {
        if (seen.length < 10_000) seen += String(data);
        const [, url] = /(http:\/\/\S+)\s/.exec(seen) ?? [];
        if (url !== undefined) resolve(url);
      });
    }
  });
}
