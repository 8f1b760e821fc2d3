import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface, type Interface } from "node:readline";
import { freePort } from "./loopback-ports.ts";

/** A real LAVA server, on loopback. */
export interface RealLava {
  readonly url: string;
  /** Where its events are. */
  readonly eventsUrl: string;
  /** Of its REST API, as an administrator; text where the answer is no JSON. Throws with what it says when it refuses. */
  readonly rest: <T>(method: string, where: string, body?: unknown) => Promise<T>;
  /** Ends it and starts it again; undefined for one that is not this test's own. */
  readonly restart?: (() => Promise<void>) | undefined;
  close(): Promise<void>;
}

/** One that this process has started: what it writes is in `dir`, all its processes are below `pid`. */
export interface OwnLava extends RealLava {
  readonly dir: string;
  readonly pid: number;
  readonly token: string;
  /** `how`: a line that real-lava.sh knows. */
  readonly restart: (how?: string) => Promise<void>;
}

/** Why no LAVA server can be had here; undefined when one can. */
export function noLava(): string | undefined {
  if (process.env["PUMICE_TEST_LAVA"]) return undefined;
  const programs = ["/usr/bin/lava-server", "/usr/bin/gunicorn3", "/usr/lib/postgresql"];
  const missing = programs.filter((file) => !existsSync(file));
  if (missing.length > 0) return `${missing.join(", ")}: not installed (lava-server, postgresql)`;
  const query = spawnSync("dpkg-query", ["-W", "-f=${Status}", "lava-server"], {
    encoding: "utf8",
  });
  if (!query.stdout.endsWith(" installed")) return `lava-server is not configured: ${query.stdout}`;
  if (process.getuid?.() !== 0) return "a LAVA server of a test's own is started by root only";
  const spaces = spawnSync("unshare", [...SPACES, "true"]);
  return spaces.status === 0 ? undefined : "no namespaces here (unshare -m --pid)";
}

/**
 * A LAVA server of this test's own, or that which runs already by `PUMICE_TEST_LAVA` (`URL TOKEN EVENTS_URL`). All that it writes is in a
 * scratch folder, its mounts and processes in namespaces that end with it. Takes about a minute.
 */
export async function realLava(): Promise<RealLava> {
  const [given, token = "", eventsUrl = ""] = process.env["PUMICE_TEST_LAVA"]?.split(" ") ?? [];
  if (given) return { url: given, eventsUrl, rest: restOf(given, token), close: async () => {} };
  return ownLava();
}

const SPACES = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** `env`: what real-lava.sh knows of it. */
export async function ownLava(env: Record<string, string> = {}): Promise<OwnLava> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-lava-"));
  const token = randomBytes(16).toString("hex");
  const [web, events, socket] = [await freePort(), await freePort(), await freePort()];
  const script = path.join(import.meta.dirname, "real-lava.sh");
  const ports = [web, events, socket].map(String);
  const child = spawn("unshare", [...SPACES, "bash", script, dir, ...ports], {
    stdio: ["pipe", "pipe", "ignore"],
    env: { ...process.env, LAVA_TOKEN: token, ...env },
  });
  // Also when this process is ended before it can close what it has begun.
  const remove = (): void =>
    rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  const leave = (): void => {
    child.kill("SIGKILL");
    remove();
  };
  process.once("exit", leave);
  const lines = createInterface(child.stdout);
  await ready(child, lines, dir);
  const url = `http://127.0.0.1:${web}/`;
  return {
    ...{ url, dir, token },
    pid: child.pid!,
    eventsUrl: `ws://127.0.0.1:${events}/ws/`,
    rest: restOf(url, token),
    async restart(how = "again") {
      child.stdin.write(`${how}\n`);
      await ready(child, lines, dir);
    },
    async close() {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
      process.removeListener("exit", leave);
      remove();
    },
  };
}

async function ready(child: ChildProcess, lines: Interface, dir: string): Promise<void> {
  const ended = once(child, "exit").then(() => "ended");
  const said = once(lines, "line").then(String);
  if ((await Promise.race([said, ended])) === "READY") return;
  throw new Error(
    `no LAVA server: ${readFileSync(path.join(dir, "setup.log"), "utf8").slice(-2000)}`,
  );
}

const restOf =
  (url: string, token: string): RealLava["rest"] =>
  async <T>(method: string, where: string, body?: unknown): Promise<T> => {
    const answer = await fetch(new URL(`api/v0.2/${where}`, url), {
      method,
      headers: {
        authorization: `Token ${token}`,
        connection: "close",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${text.slice(0, 300)}`);
    const isJson = answer.headers.get("content-type")?.includes("json");
    return (isJson && text !== "" ? JSON.parse(text) : text) as T;
  };
