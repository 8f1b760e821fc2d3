import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { root } from "../../test/support/real-lab.ts";
import { endProcess } from "../../test/support/serve-process.ts";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { findDescendants, killNow } from "../../worker/host/process-table.ts";
import { openFilesLeft } from "./open-files.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { WorkerNetwork } from "./worker-network.ts";

/** A worker's machine: the real program as a process, on a wire and a disk of its own. */
export interface ChaosWorker {
  readonly name: string;
  readonly network: WorkerNetwork;
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
  /** What of it is still there, once the lab is at rest, and belongs to nothing. */
  leaks(): string[];
  said: string[];
  close(): Promise<void>;
}

const DISK_MB = 96;

export function chaosWorker(
  { name, token, dir }: { name: string; token: string; dir: string },
  { network, clock }: { network: WorkerNetwork; clock: FakeClock | undefined },
): ChaosWorker {
  const workDir = path.join(dir, name);
  const tokenFile = path.join(dir, `${name}.token`);
  const ballast = path.join(workDir, "ballast");
  mkdirSync(workDir);
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const hasDisk = process.getuid?.() === 0 && mounted(workDir);
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
    ...{ name, network, clock, hasDisk, said, jobs, isUp, kill },
    start() {
      const program = path.join(root, "dist/pumice-worker.cjs");
      const args = [
        "start",
        "--url",
        network.url,
        "--token-file",
        tokenFile,
        "--work-dir",
        workDir,
      ];
      agent = spawn(...network.command(process.execPath, [program, ...args]), {
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
    leaks() {
      const left = network.processes().filter((pid) => pid !== agent?.pid);
      const jobs = processes().flat();
      const forgotten = network.forgottenSockets();
      return [
        ...[...new Set([...left, ...jobs])].map((pid) => `process ${pid} of ${name}`),
        ...(forgotten > 0 ? [`${name} has ${forgotten} connections whose far end has gone`] : []),
        ...(isUp() ? openFilesLeft(name, agent!.pid!) : []),
      ];
    },
    async close() {
      if (agent) await endProcess(agent, "SIGTERM");
      for (const pid of processes().flat()) killNow(pid);
      await network.close();
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
