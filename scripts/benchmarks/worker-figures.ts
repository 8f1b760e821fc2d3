import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { FakeControlPlane } from "../../test/support/fake-control-plane.ts";
import type { RealLab } from "../../test/support/real-lab.ts";
import { memoryOf, workOf, type Memory } from "./process-figures.ts";
import { runnerOf, typingJob, workerLab } from "./worker-lab.ts";
import type { Subject } from "./worker-subject.ts";

/** An agent works off its start, and a job its boot, before it is looked at. */
const WARM_UP_SECONDS = 15;
const TALK_SECONDS = 15;

export interface Size {
  readonly bytes: number;
  readonly xz_bytes: number;
  readonly zstd_bytes: number;
}

/** What xz(1) knows of a processor's jumps; a script has none. */
const FILTERS: Partial<Record<string, string>> = {
  "linux-x64": "--x86",
  "linux-arm64": "--arm64",
  "linux-armv7": "--arm",
};

/** A file's size, as it is, as `xz -9` with the processor's filter and as `zstd -19` make it. */
export async function sizeOf({ file, name }: Subject): Promise<Size> {
  const packed = async (program: string, ...args: string[]): Promise<number> => {
    const command = '"$0" "$@" | wc -c';
    const argv = ["-c", command, program, ...args, file];
    return Number((await promisify(execFile)("sh", argv)).stdout);
  };
  return {
    bytes: statSync(file).size,
    xz_bytes: await packed("xz", ...[FILTERS[name] ?? []].flat(), "--lzma2=preset=9", "-c"),
    zstd_bytes: await packed("zstd", "-19", "-T2", "-q", "-c"),
  };
}

export interface Start {
  readonly warm_ms: readonly number[];
  /** The file is not in memory, but read from disk. */
  readonly cold_ms: readonly number[];
  readonly cpu_ms: readonly number[];
}

/** From the start of the program until the control plane has its first sync. */
export async function startOf(subject: Subject, runs: number): Promise<Start> {
  const once = async (): Promise<{ ms: number; cpuMs: number }> => {
    const began = performance.now();
    const agent = startAgent(subject, plane.url, tokenFile, path.join(dir, "work"));
    const heard = plane.syncs.length;
    await plane.until(() => plane.syncs.length > heard);
    const ms = performance.now() - began;
    const { cpuSeconds } = workOf(agent.pid ?? 0);
    await end(agent);
    return { ms, cpuMs: cpuSeconds * 1000 };
  };
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-bench-start-"));
  const tokenFile = path.join(dir, "token");
  const plane = await new FakeControlPlane().listen();
  writeFileSync(tokenFile, plane.token, { mode: 0o600 });
  try {
    await once();
    const [warm, cold] = [[] as { ms: number; cpuMs: number }[], [] as number[]];
    for (let n = 0; n < runs; n++) warm.push(await once());
    for (let n = 0; n < runs; n++) {
      forget(subject.file);
      cold.push((await once()).ms);
    }
    return {
      warm_ms: warm.map(({ ms }) => ms),
      cold_ms: cold,
      cpu_ms: warm.map(({ cpuMs }) => cpuMs),
    };
  } finally {
    await plane.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export interface Idle extends Memory {
  readonly cpu_seconds_per_hour: number;
  readonly wakes_per_minute: number;
  readonly measured_seconds: number;
}

/** An agent that waits for jobs at a real control plane, which holds its answers back for as long as it always does. */
export async function idleOf(subject: Subject, seconds: number): Promise<Idle> {
  const lab = await workerLab(subject, 1);
  try {
    await pause(WARM_UP_SECONDS * 1000);
    const pid = agentOf(lab);
    const before = workOf(pid);
    const began = performance.now();
    await pause(seconds * 1000);
    const passed = (performance.now() - began) / 1000;
    const after = workOf(pid);
    return {
      ...memoryOf([pid]),
      cpu_seconds_per_hour: ((after.cpuSeconds - before.cpuSeconds) / passed) * 3600,
      wakes_per_minute: ((after.sleeps - before.sleeps) / passed) * 60,
      measured_seconds: passed,
    };
  } finally {
    await lab.close();
  }
}

export interface Busy {
  /** Agent and runners together, at the most that was seen. */
  readonly total: Memory;
  /** What each job adds to the idle agent of before. */
  readonly per_job: Memory;
  /** Of agent and runners, while each DUT says twenty lines a second. */
  readonly cpu_percent: number;
}

/** While jobs run, each with a DUT that talks. */
export async function busyOf(subject: Subject, jobs: number): Promise<Busy> {
  const lab = await workerLab(subject, jobs);
  try {
    await pause(2000);
    const idle = memoryOf([agentOf(lab)]);
    const ids: number[] = [];
    for (let n = 0; n < jobs; n++) ids.push(await lab.submit(typingJob("talk")));
    const pids = [agentOf(lab), ...(await Promise.all(ids.map((id) => runnerOf(lab, id))))];
    for (const id of ids) await lab.follow(id, ({ msg }) => String(msg).includes("now and then"));
    const cpu = (): number => pids.reduce((sum, pid) => sum + workOf(pid).cpuSeconds, 0);
    const [began, before] = [performance.now(), cpu()];
    const seen: Memory[] = [];
    for (let n = 0; n < TALK_SECONDS; n++) {
      await pause(1000);
      seen.push(memoryOf(pids));
    }
    const seconds = (performance.now() - began) / 1000;
    const total = each((kind) => Math.max(...seen.map((memory) => memory[kind])));
    const used = cpu() - before;
    for (const id of ids) await lab.api("POST", `/jobs/${id}/cancel`, {});
    for (const id of ids) await lab.finished(id);
    return {
      total,
      per_job: each((kind) => (total[kind] - idle[kind]) / jobs),
      cpu_percent: (used / seconds) * 100,
    };
  } finally {
    await lab.close();
  }
}

export function agentOf(lab: RealLab): number {
  if (lab.agent.pid === undefined) throw new Error("the agent does not run");
  return lab.agent.pid;
}

const each = (of: (kind: keyof Memory) => number): Memory => ({
  anonymous_mb: of("anonymous_mb"),
  rss_mb: of("rss_mb"),
  pss_mb: of("pss_mb"),
});

function startAgent(
  { command: [program, ...args] }: Subject,
  url: string,
  tokenFile: string,
  workDir: string,
): ChildProcess {
  const more = ["start", "--url", url, "--token-file", tokenFile, "--work-dir", workDir];
  return spawn(program, [...args, ...more], { stdio: "ignore" });
}

async function end(agent: ChildProcess): Promise<void> {
  const exited = once(agent, "exit");
  agent.kill("SIGTERM");
  await exited;
}

/** Has the kernel drop what it keeps of a file. */
function forget(file: string): void {
  spawnSync("dd", [`of=${file}`, "oflag=nocache", "conv=notrunc,fdatasync", "count=0"]);
}
