import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { SyncResponse } from "#protocol/worker-api.ts";
import { aDeviceConfiguration, aResult } from "../support/builders.ts";
import { aChunk } from "../support/embedded-lab.ts";
import { ofParts, type OnClose } from "../support/of-parts.ts";
import { pumiceProgram } from "../support/pumice-program.ts";
import { recorded } from "../support/recorded-calls.ts";
import { serveProcess } from "../support/serve-process.ts";
import { LAVACLI_ROWS } from "./rows/lavacli.ts";

const LAVACLI = "/usr/bin/lavacli";
export const hasLavacli = existsSync(LAVACLI);

export interface Said {
  readonly code: number;
  /** Standard output and standard error. */
  readonly text: string;
}

export interface Followed {
  /** Resolves when it has printed this; throws when it ends before. */
  says(text: string): Promise<void>;
  stop(): Promise<void>;
}

export interface LavacliBench {
  /** For files that commands read or write. */
  readonly dir: string;
  readonly url: string;
  readonly adminToken: string;
  /** Writes a file; its path. */
  file(name: string, text: string): string;
  lavacli(...args: string[]): Promise<Said>;
  /** A command that goes on until it is stopped. */
  follow(...args: string[]): Followed;
  api<T>(method: string, where: string, body?: unknown): Promise<T>;
  /** Runs every job that it is given, until the bench is closed. */
  startWorker(): void;
  close(): Promise<void>;
}

/** `pumice serve` as a process, `lavacli` of Debian's package set up for it, and a worker that says that jobs ran. */
export const lavacliBench = (): Promise<LavacliBench> => ofParts(makeBench);

async function makeBench(onClose: OnClose): Promise<Omit<LavacliBench, "close">> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-lavacli-"));
  onClose(() => rmSync(dir, { recursive: true, force: true }));
  const program = await pumiceProgram();
  onClose(program.remove);
  const root = path.resolve(import.meta.dirname, "../..");
  const templates = path.join(path.dirname(program.file), "device-templates");
  symlinkSync(path.join(root, "device-templates"), templates);
  const plane = await serveProcess(program.file, path.join(dir, "data"));
  onClose(() => plane.close());
  const { adminToken } = plane;
  const url = plane.url();
  const env = { PATH: process.env["PATH"], HOME: dir, XDG_CONFIG_HOME: path.join(dir, ".config") };

  const request = (
    token: string,
    method: string,
    where: string,
    body?: unknown,
    signal?: AbortSignal,
  ) =>
    fetch(where.startsWith("/blobs") ? `${url}${where}` : `${url}/api/v1${where}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: asBody(body) }),
      ...(signal ? { signal } : {}),
    });
  const apiAs = async <T>(
    token: string,
    method: string,
    where: string,
    body?: unknown,
    signal?: AbortSignal,
  ) => {
    const answer = await request(token, method, where, body, signal);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
  const api = <T>(method: string, where: string, body?: unknown) =>
    apiAs<T>(adminToken, method, where, body);

  const { token: workerToken } = await api<{ token: string }>("POST", "/workers", {
    name: "bench",
  });
  await api("PUT", "/devices/qemu-01", {
    ...{ device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() },
  });
  const stopping = new AbortController();
  let working: Promise<void> | undefined;
  onClose(async () => {
    stopping.abort();
    await working;
  });

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      const body = { protocol: 1, version: "test", runners: [], wait_seconds: 30 };
      const asked = { ...body, waits: [] };
      const { start } = await apiAs<SyncResponse>(
        workerToken,
        "POST",
        "/worker/sync",
        asked,
        stopping.signal,
      );
      for (const { job_id, token } of start) {
        const runners = [{ job_id, state: "running" }];
        await apiAs(workerToken, "POST", "/worker/sync", { ...body, runners, wait_seconds: 0 });
        await report(job_id, token);
      }
    }
  }
  async function report(id: number, token: string): Promise<void> {
    const dt = "2026-11-22T04:00:00.000000";
    const records = [
      { dt, lvl: "info", msg: "start: 0 validate" },
      { dt, lvl: "target", msg: "root@dut:~#" },
      { dt, lvl: "results", msg: aResult({ definition: "lava", case: "validate" }) },
      { dt, lvl: "results", msg: aResult({ case: "ok", measurement: "3.5", units: "ms" }) },
    ];
    const { commit, body } = aChunk(0, records);
    const { first_line, bytes, sha256 } = commit;
    const upload = await apiAs<{ url: string; method: string; headers: Record<string, string> }>(
      token,
      "POST",
      `/jobs/${id}/log-uploads`,
      { first_line, bytes, sha256 },
    );
    const { "content-length": _length, ...headers } = upload.headers;
    const where = new URL(upload.url, url);
    const put = await fetch(where, { method: upload.method, headers, body });
    if (!put.ok) throw new Error(`upload: ${put.status} ${await put.text()}`);
    await apiAs(token, "POST", `/jobs/${id}/log-chunks`, commit);
    await apiAs(token, "POST", `/jobs/${id}/finish`, { result: "pass", lines: records.length });
  }

  return {
    dir,
    url,
    adminToken,
    api,
    file(name, text) {
      const file = path.join(dir, name);
      writeFileSync(file, text);
      return file;
    },
    follow(...args) {
      const child = spawn(LAVACLI, args, {
        ...{ env: { ...env, PYTHONUNBUFFERED: "1" }, cwd: dir },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const closed = once(child, "close");
      let said = "";
      child.stdout.on("data", (data: Buffer) => (said += String(data)));
      return {
        async says(text) {
          while (!said.includes(text)) {
            await Promise.race([once(child.stdout, "data"), closed]);
            if (child.exitCode !== null) throw new Error(`lavacli ${args.join(" ")}: ${said}`);
          }
          recorded("lavacli", commandIn(args));
        },
        async stop() {
          child.kill();
          await closed;
        },
      };
    },
    async lavacli(...args) {
      const child = spawn(LAVACLI, args, {
        ...{ env, cwd: dir, timeout: 60_000 },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let text = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (data: Buffer) => (text += String(data)));
      }
      const [code] = (await once(child, "close")) as [number];
      const isDone = code === 0 && !text.startsWith("Unable to ");
      recorded("lavacli", commandIn(args), isDone ? "ok" : `exit ${code}`);
      return { code, text };
    },
    startWorker() {
      working ??= work().catch((error: unknown) => {
        if (!stopping.signal.aborted) throw error;
      });
    },
  };
}

/** The words of the command, as the rows have them. */
function commandIn(args: readonly string[]): string {
  const said = `${args.join(" ").replace(/^(-i|--identity) \S+ /, "")} `;
  const names = LAVACLI_ROWS.map(({ name }) => name).toSorted((a, b) => b.length - a.length);
  return names.find((name) => said.startsWith(`${name} `)) ?? said.trim();
}

const asBody = (body: unknown): string => (typeof body === "string" ? body : JSON.stringify(body));
