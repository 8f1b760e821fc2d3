import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { cutWire, type CutWire } from "../../test/support/cut-wire.ts";
import { root } from "../../test/support/real-lab.ts";
import { endProcess } from "../../test/support/serve-process.ts";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { findDescendants, killNow } from "../../worker/host/process-table.ts";
import type { FakeClock } from "./fake-clock.ts";

/** A worker's machine: the real program as a process, on a wire and a disk of its own. */
export interface ChaosWorker {
  readonly name: string;
  readonly wire: CutWire;
  readonly clock: FakeClock | undefined;
  /** Its work folder is a file system of its own, which can be full. */
  readonly hasDisk: boolean;
  start(): void;
  isUp(): boolean;
  kill(): Promise<void>;
  /** Runners of jobs, and what they have started: DUTs among others. */
  runners(): number[];
  started(): number[];
  /** Everything of the machine dies at once. */
  losePower(): Promise<void>;
  fillDisk(): void;
  freeDisk(): void;
  /** Folders of jobs that are still there. */
  jobs(): number[];
  openFiles(): number;
  said: string[];
  close(): Promise<void>;
}

const DISK_MB = 96;

export async function chaosWorker(
  { name, url, token, dir }: { name: string; url: string; token: string; dir: string },
  clock: FakeClock | undefined,
): Promise<ChaosWorker> {
  const workDir = path.join(dir, name);
  const tokenFile = path.join(dir, `${name}.token`);
  const ballast = path.join(workDir, "ballast");
  mkdirSync(workDir);
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const hasDisk = process.getuid?.() === 0 && mounted(workDir);
  const wire = await cutWire(url);
  const said: string[] = [];
  let agent: ChildProcess | undefined;
  const jobs = (): number[] => {
    const folder = path.join(workDir, "jobs");
    return existsSync(folder) ? readdirSync(folder).map(Number).filter(Number.isSafeInteger) : [];
  };
  const processes = (): number[][] =>
    jobs().map((id) =>
      findDescendants("PUMICE_JOB_DIR", jobDirectory(workDir, id).root, undefined),
    );
  const isUp = (): boolean =>
    agent !== undefined && agent.exitCode === null && agent.signalCode === null;
  const kill = async (): Promise<void> => {
    if (agent) await endProcess(agent, "SIGKILL");
  };
  return {
    ...{ name, wire, clock, hasDisk, said, jobs, isUp, kill },
    start() {
      const program = path.join(root, "dist/pumice-worker.cjs");
      const args = ["start", "--url", wire.url, "--token-file", tokenFile, "--work-dir", workDir];
      agent = spawn(process.execPath, [program, ...args], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, PUMICE_MIN_FREE_MB: "8", ...clock?.env },
      });
      for (const stream of [agent.stdout, agent.stderr]) {
        stream?.on("data", (data: Buffer) => {
          said.push(...String(data).trimEnd().split("\n"));
          said.splice(0, said.length - 200);
        });
      }
    },
    // The first of a job's processes is its runner: the others come of it.
    runners: () => processes().flatMap(([first]) => (first === undefined ? [] : [first])),
    started: () => processes().flatMap(([, ...others]) => others),
    async losePower() {
      await kill();
      for (const pid of processes().flat()) killNow(pid);
    },
    fillDisk() {
      const { bavail, bsize } = statfsSync(workDir);
      try {
        writeFileSync(ballast, Buffer.alloc(bavail * bsize + 4096));
      } catch {
        // It is full now.
      }
    },
    freeDisk: () => rmSync(ballast, { force: true }),
    openFiles: () => (isUp() ? readdirSync(`/proc/${agent!.pid}/fd`).length : 0),
    async close() {
      if (agent) await endProcess(agent, "SIGTERM");
      for (const pid of processes().flat()) killNow(pid);
      await wire.close();
      if (hasDisk) execFileSync("umount", ["--lazy", workDir]);
    },
  };
}

function mounted(folder: string): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_MB}m`, "tmpfs", folder]);
    return true;
  } catch {
    // A container may not let its root mount.
    return false;
  }
}
