import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startFileShelf } from "../beds/file-shelf.ts";
import { builtWorker } from "../support/built-worker.ts";
import { guestDir, processesOf, until } from "../support/real-lab.ts";
import type { RealLava } from "../support/real-lava.ts";
import { stockJob } from "./stock-bench.ts";

/** A job as LAVA's REST API tells it. */
export interface LavaJob {
  readonly state: string;
  readonly health: string;
  readonly actual_device: string | null;
  readonly failure_comment: string | null;
}
export interface LavaTest {
  readonly name: string;
  readonly result: string;
  readonly measurement: string | null;
  readonly unit: string;
  readonly suite: number;
}

export interface LavaBench {
  readonly workDir: string;
  /** What the worker says for people. */
  said(): string;
  submit(steps: readonly string[]): Promise<number>;
  job(id: number): Promise<LavaJob>;
  finished(id: number): Promise<LavaJob>;
  /** Of a suite, in the order in which they came. */
  tests(id: number, suite: string): Promise<LavaTest[]>;
  log(id: number): Promise<string>;
  logHas(id: number, text: string): Promise<void>;
  cancel(id: number): Promise<void>;
  deviceHealth(): Promise<string>;
  setDeviceHealth(health: string): Promise<void>;
  workerState(): Promise<string>;
  startWorker(options?: readonly string[]): ChildProcess;
  stopWorker(signal?: NodeJS.Signals): Promise<void>;
  /** Ends the job's own processes, as a machine does that loses its power. */
  killRunners(): void;
  close(): Promise<void>;
}

/** A worker of ours with a QEMU device at a real LAVA server. A tag keeps the jobs of others away from it, and these from theirs. */
export async function lavaBench(lava: RealLava): Promise<LavaBench> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-at-lava-"));
  const workDir = path.join(dir, "work");
  const tokenFile = path.join(dir, "token");
  const name = path.basename(dir);
  const device = `qemu-${name}`;
  const guest = guestDir();
  const program = await builtWorker();
  const shelf = await startFileShelf({
    vmlinuz: path.join(guest, "vmlinuz"),
    "initramfs.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
  });
  const { rest } = lava;
  const tag = await rest<{ id: number }>("POST", "tags/", { name });
  const { token } = await rest<{ token: string }>("POST", "workers/", { hostname: name });
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  const fields = { hostname: device, device_type: "qemu", worker_host: name };
  await rest("POST", "devices/", { ...fields, health: "Good", tags: [tag.id] });
  const dictionary =
    "{% extends 'qemu.jinja2' %}\n{% set no_kvm = True %}\n{% set memory = 256 %}\n";
  await rest("POST", `devices/${device}/dictionary/`, { dictionary });

  let worker: ChildProcess | undefined;
  let said = "";
  const job = (id: number) => rest<LavaJob>("GET", `jobs/${id}/`);
  const log = (id: number) => rest<string>("GET", `jobs/${id}/logs/`).catch(() => "");

  function killRunners(): void {
    for (const pid of processesOf(workDir)) process.kill(pid, "SIGKILL");
  }
  async function stopWorker(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (!worker || worker.exitCode !== null || worker.signalCode !== null) return;
    worker.kill(signal);
    await once(worker, "exit");
  }
  return {
    ...{ workDir, job, log, killRunners, stopWorker },
    said: () => said,
    async submit(steps) {
      const definition = `${stockJob(shelf.url, steps)}tags: [${name}]\n`;
      const answer = await rest<{ job_ids: [number] }>("POST", "jobs/", { definition });
      return answer.job_ids[0];
    },
    async finished(id) {
      await until(async () => (await job(id)).state === "Finished", 300);
      return job(id);
    },
    async tests(id, suite) {
      const where = `jobs/${id}/tests/?suite__name=${suite}&ordering=id&limit=200`;
      return (await rest<{ results: LavaTest[] }>("GET", where)).results;
    },
    logHas: (id, text) => until(async () => (await log(id)).includes(text), 300),
    cancel: async (id) => void (await rest("GET", `jobs/${id}/cancel/`)),
    deviceHealth: async () => (await rest<{ health: string }>("GET", `devices/${device}/`)).health,
    setDeviceHealth: async (health) => void (await rest("PATCH", `devices/${device}/`, { health })),
    workerState: async () => (await rest<{ state: string }>("GET", `workers/${name}/`)).state,
    startWorker(options = ["--ping-interval", "1"]) {
      const where = ["--protocol", "lava", "--url", lava.url, "--token-file", tokenFile];
      const own = ["--name", name, "--work-dir", workDir, "--ws-url", lava.eventsUrl];
      const [file, ...first] = program.command;
      const args = [...first, "start", ...where, ...own, ...options];
      worker = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
      worker.stderr?.on("data", (data: Buffer) => (said += String(data)));
      return worker;
    },
    async close() {
      await stopWorker("SIGKILL");
      killRunners();
      await shelf.close();
      await rest("DELETE", `devices/${device}/`);
      await rest("DELETE", `workers/${name}/`);
      await rest("DELETE", `tags/${tag.id}/`);
      program.remove();
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
