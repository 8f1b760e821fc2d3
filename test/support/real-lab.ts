import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { endProcess, serveProcess } from "./serve-process.ts";
import { SHELL_BOARD, shellBoard } from "./shell-board.ts";
import { isOnAws } from "./test-engine.ts";
import { startCloudPlane, type CloudPlane } from "./aws/cloud-plane.ts";
import type { JobView, LogPage, ResultView } from "#protocol/api.ts";

export const root = path.resolve(import.meta.dirname, "../..");

/** Folder with the guest's kernel, initramfs and disk image; made when it is missing. */
export const guestDir = (): string =>
  execFileSync(process.execPath, [path.join(root, "scripts/make-guest.mjs")], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();

/** An example job of docs/examples, with the guest's folder filled in. */
export const exampleJob = (name: string, guest = guestDir()): string =>
  readFileSync(path.join(root, "docs/examples", name), "utf8").replaceAll("@GUEST@", guest);

export interface RealLab {
  readonly dir: string;
  readonly url: string;
  readonly adminToken: string;
  readonly workDir: string;
  /** `pumice serve`; throws where the control plane is none. */
  readonly server: ChildProcess;
  /** The emulated AWS and the functions, where the lab is on them. */
  readonly cloud: CloudPlane["cloud"] | undefined;
  readonly agent: ChildProcess;
  api<T>(method: string, where: string, body?: unknown, type?: string): Promise<T>;
  submit(definition: string): Promise<number>;
  job(id: number): Promise<JobView>;
  results(id: number): Promise<ResultView[]>;
  /** Follows the log, as a person would, until `until` says so or the log is complete. */
  follow(
    id: number,
    until?: (record: LogPage["records"][number]) => boolean,
  ): Promise<LogPage["records"]>;
  /** Waits until the job is Finished. */
  finished(id: number): Promise<JobView>;
  killServer(): Promise<void>;
  startServer(): Promise<void>;
  killAgent(): Promise<void>;
  startAgent(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A whole lab as a person runs it: the bundled control plane and worker as processes of their own on
 * a free port of loopback, or with `PUMICE_TEST_ENGINE=aws` the bundled Lambda functions on emulators, with `devices` QEMU devices and `boards` of shells. Needs `dist/` (scripts/test bundles it).
 */
export async function realLab({
  devices = 1,
  boards = 0,
  workerRuntime = process.execPath,
  worker: command,
  plane: given,
}: {
  devices?: number;
  boards?: number;
  workerRuntime?: string;
  /** Another worker than that of `dist/`: its program and what comes before `start`. */
  worker?: readonly [program: string, ...args: string[]];
  plane?: CloudPlane;
} = {}): Promise<RealLab> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-lab-"));
  const dataDir = path.join(dir, "data");
  const workDir = path.join(dir, "worker");
  const tokenFile = path.join(dir, "worker-token");
  let agent: ChildProcess;

  async function startAgent(): Promise<void> {
    const args = ["start", "--url", plane.url(), "--token-file", tokenFile, "--work-dir", workDir];
    agent = command
      ? spawn(command[0], [...command.slice(1), ...args], { stdio: ["ignore", "pipe", "pipe"] })
      : start(workerRuntime, "pumice-worker.cjs", args);
    await until(
      async () => (await api<{ state: string }>("GET", "/workers/bench")).state === "Online",
    );
  }
  async function api<T>(
    method: string,
    where: string,
    body?: unknown,
    type = "application/json",
  ): Promise<T> {
    const answer = await fetch(`${plane.url()}/api/v1${where}`, {
      method,
      // A connection that is kept would be one to a server that is gone after a restart.
      headers: { authorization: `Bearer ${adminToken}`, "content-type": type, connection: "close" },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    // A function that was killed takes along who only looks; any client looks again.
    if (answer.status >= 500 && method === "GET" && plane.cloud) return api(method, where);
    if (!answer.ok) {
      const text = await answer.text();
      const id = /"request_id":"(\w+)"/.exec(text)?.[1];
      const line = id && plane.cloud?.gateway.lines.find((one) => one.includes(id));
      throw new Error(`${method} ${where}: ${answer.status} ${text} ${line ?? ""}`);
    }
    return (await answer.json()) as T;
  }
  async function follow(
    id: number,
    stop: (record: LogPage["records"][number]) => boolean = () => false,
  ): Promise<LogPage["records"]> {
    const records: LogPage["records"] = [];
    for (;;) {
      const page = await api<LogPage>("GET", `/jobs/${id}/log?start=${records.length}&wait=20`);
      records.push(...page.records);
      if (page.complete || page.records.some(stop)) return records;
    }
  }

  const plane =
    given ??
    (await (isOnAws
      ? startCloudPlane()
      : serveProcess(path.join(root, "dist/pumice.mjs"), dataDir)));
  const { adminToken } = plane;
  const worker = await api<{ token: string }>("POST", "/workers", { name: "bench" });
  writeFileSync(tokenFile, worker.token, { mode: 0o600 });
  const configuration = readFileSync(path.join(root, "docs/examples/qemu-device.yaml"), "utf8");
  for (let n = 1; n <= devices; n++) {
    await api("PUT", `/devices/qemu-0${n}`, {
      device_type: "qemu",
      worker: "bench",
      configuration,
    });
  }
  for (let n = 1; n <= boards; n++) {
    await api("PUT", `/devices/board-0${n}`, {
      device_type: SHELL_BOARD.type,
      worker: "bench",
      dictionary: shellBoard(dir),
    });
  }
  await startAgent();

  return {
    dir,
    adminToken,
    workDir,
    get url() {
      return plane.url();
    },
    get server() {
      const process = plane.process?.();
      if (!process) throw new Error("this control plane is no process");
      return process;
    },
    cloud: plane.cloud,
    get agent() {
      return agent;
    },
    api,
    follow,
    submit: async (definition) =>
      (await api<{ job_ids: [number] }>("POST", "/jobs", definition, "application/yaml"))
        .job_ids[0],
    job: (id) => api<JobView>("GET", `/jobs/${id}`),
    results: async (id) =>
      (await api<{ results: ResultView[] }>("GET", `/jobs/${id}/results`)).results,
    finished: async (id) => {
      await until(async () => (await api<JobView>("GET", `/jobs/${id}`)).state === "Finished");
      return api<JobView>("GET", `/jobs/${id}`);
    },
    killServer: () => plane.kill(),
    startServer: () => plane.start(),
    killAgent: () => endProcess(agent, "SIGKILL"),
    startAgent,
    close: async () => {
      await endProcess(agent, "SIGTERM");
      await plane.close();
      for (const pid of processesOf(workDir)) process.kill(pid, "SIGKILL");
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Processes whose command line names a file below `folder` (runners and their guests). */
export function processesOf(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
      } catch {
        return false;
      }
    });
}

/** Asks again until the answer is yes. The only wait by polling: for states that no event announces. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  everyMs = 50,
): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, everyMs));
}

function start(runtime: string, program: string, args: string[]): ChildProcess {
  // As scripts/pumice and scripts/pumice-worker start them.
  const flags = runtime === process.execPath ? ["--max-semi-space-size=2"] : [];
  return spawn(runtime, [...flags, path.join(root, "dist", program), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}
