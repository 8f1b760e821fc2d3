import { spawn, type ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { JobView, LogPage, ResultView, WorkerView } from "#protocol/api.ts";
import { startFileShelf } from "../beds/file-shelf.ts";
import { ofParts, type OnClose } from "../support/of-parts.ts";
import { pumiceProgram } from "../support/pumice-program.ts";
import { endProcess, serveProcess } from "../support/serve-process.ts";
import { guestDir, processesOf, until } from "../support/real-lab.ts";

/** The program of Debian's package `lava-dispatcher`. */
const LAVA_WORKER = "/usr/bin/lava-worker";
export const hasLavaWorker = existsSync(LAVA_WORKER);

export interface StockBench {
  url(): string;
  readonly adminToken: string;
  readonly workDir: string;
  api<T>(method: string, where: string, body?: unknown, type?: string): Promise<T>;
  submit(definition: string): Promise<number>;
  job(id: number): Promise<JobView>;
  finished(id: number): Promise<JobView>;
  results(id: number): Promise<ResultView[]>;
  log(id: number): Promise<LogPage["records"]>;
  /** Waits until a record of the job's log says so. */
  logHas(id: number, text: string): Promise<void>;
  worker(name?: string): Promise<WorkerView>;
  startServer(): Promise<void>;
  killServer(): Promise<void>;
  /** `--token` is the worker's own unless `args` say otherwise; each folder is a worker of its own. */
  startWorker(
    args?: readonly string[],
    folder?: string,
    /** A program that becomes `lava-worker`, and its arguments. */
    before?: readonly string[],
  ): ChildProcess;
  readonly workerToken: string;
  stopWorker(signal?: NodeJS.Signals): Promise<void>;
  /** What `lava-worker` wrote to its log. */
  said(): string;
  /** Where jobs download the guest from. */
  readonly shelf: string;
  close(): Promise<void>;
}

/** `pumice serve` as a process, with these options, and a stock `lava-worker` with a device of QEMU. */
export const stockBench = (options: readonly string[] = []): Promise<StockBench> =>
  ofParts((onClose) => makeBench(onClose, options));

async function makeBench(
  onClose: OnClose,
  options: readonly string[],
): Promise<Omit<StockBench, "close">> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-stock-"));
  onClose(() => rmSync(dir, { recursive: true, force: true }));
  const workDir = path.join(dir, "worker");
  const workerLog = path.join(dir, "worker.log");
  mkdirSync(workDir);
  const program = await pumiceProgram();
  onClose(program.remove);
  const root = path.resolve(import.meta.dirname, "../..");
  const templates = path.join(path.dirname(program.file), "device-templates");
  symlinkSync(path.join(root, "device-templates"), templates);
  const guest = guestDir();
  const shelf = await startFileShelf({
    vmlinuz: path.join(guest, "vmlinuz"),
    "initramfs.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
  });
  onClose(() => shelf.close());
  const plane = await serveProcess(program.file, path.join(dir, "data"), options);
  onClose(() => plane.close());
  const workers: ChildProcess[] = [];
  const folders = new Set([workDir]);
  const stopWorker = async (signal: NodeJS.Signals = "SIGTERM") => {
    await Promise.all(workers.splice(0).map((worker) => endProcess(worker, signal)));
  };
  onClose(async () => {
    await stopWorker("SIGKILL");
    for (const folder of folders) {
      for (const pid of processesOf(folder)) process.kill(pid, "SIGKILL");
    }
  });
  const { adminToken } = plane;
  async function api<T>(method: string, where: string, body?: unknown, type = "application/json") {
    const answer = await fetch(`${plane.url()}/api/v1${where}`, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, "content-type": type, connection: "close" },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
  const { token } = await api<{ token: string }>("POST", "/workers", { name: "stock" });
  await api("PUT", "/devices/qemu-01", stockDevice("stock"));
  const job = (id: number) => api<JobView>("GET", `/jobs/${id}`);
  const log = async (id: number) => {
    const records: LogPage["records"] = [];
    for (;;) {
      const page = await api<LogPage>("GET", `/jobs/${id}/log?start=${records.length}`);
      if (page.records.length === 0) return records;
      records.push(...page.records);
    }
  };

  return {
    ...{ adminToken, workDir, api, job, log, workerToken: token },
    url: () => plane.url(),
    shelf: shelf.url,
    submit: async (definition) =>
      (await api<{ job_ids: [number] }>("POST", "/jobs", definition, "application/yaml"))
        .job_ids[0],
    async finished(id) {
      await until(async () => (await job(id)).state === "Finished", 200);
      return job(id);
    },
    results: async (id) =>
      (await api<{ results: ResultView[] }>("GET", `/jobs/${id}/results`)).results,
    logHas: (id, text) =>
      until(async () => (await log(id)).some(({ msg }) => JSON.stringify(msg).includes(text)), 200),
    worker: (name = "stock") => api<WorkerView>("GET", `/workers/${name}`),
    startServer: () => plane.start(),
    killServer: () => plane.kill(),
    startWorker(args = ["--name", "stock", "--token", token], folder = workDir, before = []) {
      const own = ["--worker-dir", folder, "--log-file", workerLog, "--level", "DEBUG"];
      const pace = ["--ping-interval", "1", "--job-log-interval", "1"];
      const all = ["--url", plane.url(), ...own, ...pace, ...args];
      const [program = LAVA_WORKER, ...rest] = [...before, LAVA_WORKER, ...all];
      const worker = spawn(program, rest, { stdio: ["ignore", "ignore", "inherit"] });
      workers.push(worker);
      folders.add(folder);
      return worker;
    },
    stopWorker,
    said: () => (existsSync(workerLog) ? readFileSync(workerLog, "utf8") : ""),
  };
}

/** A device of QEMU, as it is put. */
export const stockDevice = (worker: string) => ({
  device_type: "qemu",
  worker,
  dictionary: "{% extends 'qemu.jinja2' %}\n{% set no_kvm = True %}\n{% set memory = 256 %}\n",
});

/** A job of QEMU as LAVA's own runner takes it, with these steps. */
export const stockJob = (shelf: string, steps: readonly string[]): string => `
job_name: qemu on a stock worker
device_type: qemu
visibility: public
priority: medium
context: {arch: x86_64}
timeouts:
  job: {minutes: 10}
  action: {minutes: 5}
  connection: {minutes: 2}
actions:
- deploy:
    to: tmpfs
    timeout: {minutes: 2}
    os: oe
    images:
      kernel:
        url: ${shelf}vmlinuz
        image_arg: -kernel {kernel} -append "console=ttyS0"
      initramfs:
        url: ${shelf}initramfs.cpio.gz
        image_arg: -initrd {initramfs}
        compression: gz
        format: cpio.newc
        overlays: {lava: true}
- boot:
    method: qemu
    media: tmpfs
    timeout: {minutes: 3}
    prompts: ['root@pumice:[^#]*# ']
- test:
    timeout: {minutes: 4}
    definitions:
    - from: inline
      name: smoke
      path: inline/smoke.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: smoke, description: a few cases}
        run:
          steps:
${steps.map((step) => `          - ${JSON.stringify(step)}`).join("\n")}
`;

/** TCP connections of a process to a port of loopback. */
export function connectionsTo(port: number, { pid }: ChildProcess): number {
  const fds = `/proc/${pid}/fd`;
  const inodes = new Set(
    readdirSync(fds).map((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(path.join(fds, fd)))?.[1];
      } catch {
        return undefined;
      }
    }),
  );
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n");
  return lines.filter((line) => {
    const [, , to = "", state, , , , , , inode] = line.trim().split(/\s+/);
    return to.endsWith(remote) && state === "01" && inodes.has(inode);
  }).length;
}
