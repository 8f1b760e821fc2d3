import type { ChildProcess } from "node:child_process";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { LogPage, WorkerView } from "#protocol/api.ts";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { sizeOfLog } from "../../worker/host/log-segments.ts";
import { AgentBench, kill } from "../support/agent-bench.ts";
import { cutWire, type CutWire } from "../support/cut-wire.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { until } from "../support/real-lab.ts";
import { guestDevice, guestJob, standInGuest } from "../support/stand-in-guest.ts";
import { workerProgram } from "../support/worker-program.ts";
import { lacking } from "../support/lacking.ts";

let program: Awaited<ReturnType<typeof workerProgram>>;
let lab: Awaited<ReturnType<typeof listeningLab>>;
let wire: CutWire;
let bench: AgentBench;
let agent: ChildProcess;
beforeAll(async () => {
  program = await workerProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  lab = await listeningLab();
  wire = await cutWire(lab.url);
  bench = new AgentBench(program.file, await lab.addWorker());
});
afterEach(async () => {
  await bench.close();
  await wire.close();
  await lab.close();
});

/** A device that is a program of this machine: what it does is told in shell. */
async function addDevice(boot: string): Promise<void> {
  const off = path.join(bench.dir, "power-off");
  writeFileSync(off, `#!/bin/sh\necho off >> ${bench.dir}/switched; echo the plug is off\n`);
  chmodSync(off, 0o755);
  const folder = path.join(bench.dir, "guest");
  mkdirSync(folder, { recursive: true });
  const configuration = `${guestDevice(standInGuest(folder, `cd ${bench.dir}; ${boot}`))}commands: {power_off: ${off}}\n`;
  await lab.addDevice("qemu-01", { configuration });
}

async function submit(): Promise<number> {
  const kernel = path.join(bench.dir, "kernel");
  writeFileSync(kernel, "a kernel");
  return lab.submit(`device_type: qemu\n${guestJob(kernel)}`);
}

const begin = (env: Record<string, string>): void =>
  void (agent = bench.startProcess(wire.url, undefined, env));

/** What the log says, a text for each of its records; until a line that matches, or the end. */
async function follow(id: number, until = /(?!)/): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const page = await lab.api<LogPage>(`/jobs/${id}/log?start=${texts.length}&wait=5`);
    const more = page.records.map(({ msg }) =>
      typeof msg === "string" ? msg : JSON.stringify(msg),
    );
    texts.push(...more);
    if (page.complete || more.some((text) => until.test(text))) return texts;
  }
}

const finished = (id: number): Promise<void> =>
  until(async () => (await lab.job(id)).state === "Finished");
/** Shell: so many lines, of a hundred characters each. */
const says = (lines: number): string => `yes ${"x".repeat(99)} | head -n ${lines}`;

// A file system of its own, which only root may mount.
describe.skipIf(lacking(process.getuid?.() !== 0, "a small disk needs root"))(
  "a worker whose disk is full",
  () => {
    let ballast: string;
    beforeEach(() => {
      mkdirSync(bench.workDir);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=16m", "tmpfs", bench.workDir]);
      ballast = path.join(bench.workDir, "ballast");
    });
    afterEach(() => {
      agent.kill("SIGKILL");
      execFileSync("umount", ["--lazy", bench.workDir]);
    });

    /** Leaves nothing on the disk. */
    function fill(): void {
      const { bavail, bsize } = statfsSync(bench.workDir);
      try {
        writeFileSync(ballast, Buffer.alloc(bavail * bsize + 4096));
      } catch {
        // It is full now.
      }
    }

    test("ends its job as the lab's fault, delivers the log and begins another one when there is room", async () => {
      await addDevice(
        `echo the board is on; while [ ! -e go ]; do sleep 0.05; done; ${says(20_000)}; while :; do read -r line; done`,
      );
      begin({ PUMICE_MIN_FREE_MB: "4" });
      const id = await submit();
      await follow(id, /the board is on/);
      fill();
      writeFileSync(path.join(bench.dir, "go"), "");
      await finished(id);
      expect(await lab.job(id)).toMatchObject({
        health: "Incomplete",
        error_type: "Infrastructure",
        error_msg: `disk full at ${bench.workDir}: free space there, or give it a larger disk`,
      });
      const log = await follow(id);
      expect(log.find((text) => text.startsWith("Pumice:"))).toMatch(
        /^Pumice: \d+ records \([\d.]+ MB\) were left out of the log behind line \d+: the worker's disk is full/,
      );
      expect(log).toContain(">> the plug is off");
      expect(log.at(-1)).toMatch(/"case":"job"/);
      expect(readFileSync(path.join(bench.dir, "switched"), "utf8")).toBe("off\n");

      const next = await submit();
      await until(async () => {
        const { notice = "" } = await lab.api<WorkerView>("/workers/bench");
        return notice.startsWith(`gets no new jobs: disk full at ${bench.workDir}: `);
      });
      expect((await lab.job(next)).state).not.toBe("Running");
      rmSync(ballast);
      await follow(next, /the board is on/);
      expect((await lab.api<WorkerView>("/workers/bench")).notice).toBeUndefined();
    });

    test("switches the device of a killed runner off all the same, and tells the end when there is room", async () => {
      await addDevice("echo the board is on; while :; do read -r line; done");
      begin({ PUMICE_MIN_FREE_MB: "1" });
      const id = await submit();
      await follow(id, /the board is on/);
      fill();
      await kill(agent);
      for (const pid of bench.processesOf(id)) process.kill(pid, "SIGKILL");
      begin({ PUMICE_MIN_FREE_MB: "1" });
      await finished(id);
      expect(await lab.job(id)).toMatchObject({ error_type: "Infrastructure" });
      expect(await follow(id)).toContain(">> the plug is off");
      expect(readFileSync(path.join(bench.dir, "switched"), "utf8")).toBe("off\n");
    });

    test("is not given a job from the start, and says why that waits", async () => {
      await addDevice("echo the board is on; shell");
      begin({ PUMICE_MIN_FREE_MB: "100" });
      await until(async () =>
        /1[67] MB are free/.test((await lab.api<WorkerView>("/workers/bench")).notice ?? ""),
      );
      const id = await submit();
      const { waits_for } = (await lab.job(id)) as { waits_for?: string };
      expect(waits_for).toMatch(/which can't begin another job: disk full at/);
      expect(readdirSync(path.join(bench.workDir, "jobs"))).toEqual([]);
    });
  },
);

// Mounts once more what is there, as what can only be read.
test.skipIf(lacking(process.getuid?.() !== 0, "a small disk needs root"))(
  "a worker whose disk has become read-only switches the device of a dead runner off, and tells the end later",
  async () => {
    await addDevice("echo the board is on; while :; do read -r line; done");
    begin({});
    const id = await submit();
    await follow(id, /the board is on/);
    execFileSync("mount", ["--bind", bench.workDir, bench.workDir]);
    try {
      execFileSync("mount", ["-o", "remount,bind,ro", bench.workDir]);
      for (const pid of bench.processesOf(id)) process.kill(pid, "SIGKILL");
      const switched = path.join(bench.dir, "switched");
      await until(async () => existsSync(switched));
      expect((await lab.job(id)).state).toBe("Running");
    } finally {
      execFileSync("umount", ["--lazy", bench.workDir]);
    }
    await finished(id);
    expect(await lab.job(id)).toMatchObject({
      health: "Incomplete",
      error_type: "Infrastructure",
      error_msg: expect.stringMatching(/^the worker's disk can't be written to.*read-only/i),
    });
    expect(readFileSync(path.join(bench.dir, "switched"), "utf8")).toBe("off\n");
  },
);

describe("a DUT that says more than the worker may keep", () => {
  test("while nothing can be delivered: the disk is used no further, and the log tells what is missing", async () => {
    await addDevice(
      `echo the board is on; while [ ! -e go ]; do sleep 0.05; done; ${says(150_000)}; echo 'Linux version 6.1'; shell`,
    );
    begin({ PUMICE_SPOOL_MB: "9", PUMICE_MIN_FREE_MB: "0" });
    const id = await submit();
    await follow(id, /the board is on/);
    await wire.cut();
    writeFileSync(path.join(bench.dir, "go"), "");
    const { log, result } = jobDirectory(bench.workDir, id);
    let largest = 0;
    await until(() => {
      largest = Math.max(largest, sizeOfLog(log));
      return existsSync(result);
    });
    expect(largest).toBeGreaterThan(8_000_000);
    expect(largest).toBeLessThan(10_000_000);
    await wire.mend();
    const texts = await follow(id);
    const losses = texts.filter((text) => text.startsWith("Pumice:"));
    expect(losses[0]).toMatch(/9 MB of it wait to be delivered already \(PUMICE_SPOOL_MB/);
    const left = losses.reduce((sum, text) => sum + Number(/(\d+) records/.exec(text)?.[1]), 0);
    const kept = texts.filter((text) => /^x{99}$/.test(text)).length;
    // The prompt and the like may be among what was left out.
    expect(Math.abs(kept + left - 150_000)).toBeLessThan(50);
    expect(texts.at(-1)).toMatch(/"case":"job","result":"/);
  });

  test("in all its life: the log ends at its limit but for what the job itself says", async () => {
    await addDevice(`${says(50_000)}; echo 'Linux version 6.1'; shell`);
    begin({ PUMICE_LOG_MB: "3", PUMICE_MIN_FREE_MB: "0" });
    const id = await submit();
    const texts = await follow(id);
    expect(texts.find((text) => text.startsWith("Pumice:"))).toMatch(
      /the log of a job may have 3 MB \(PUMICE_LOG_MB of the worker\)/,
    );
    expect(texts.at(-1)).toMatch(/"case":"job"/);
    expect(JSON.stringify(texts).length).toBeLessThan(3_000_000);
  });

  test("but fetched in time: everything arrives, in files of which few are on the disk at a time", async () => {
    await addDevice(`${says(200_000)}; echo 'Linux version 6.1'; shell`);
    begin({ PUMICE_SPOOL_MB: "16", PUMICE_MIN_FREE_MB: "0" });
    const id = await submit();
    const { log } = jobDirectory(bench.workDir, id);
    let largest = 0;
    await until(async () => {
      if (existsSync(path.dirname(log))) largest = Math.max(largest, sizeOfLog(log));
      return (await lab.job(id)).state === "Finished";
    });
    expect(await lab.job(id)).toMatchObject({ health: "Complete" });
    const texts = await follow(id);
    const missing = texts.filter((text) => text.startsWith("Pumice:"));
    // Where the network was slower than the DUT, that is told; nothing is lost without.
    const left = missing.reduce((sum, text) => sum + Number(/(\d+) records/.exec(text)?.[1]), 0);
    const kept = texts.filter((text) => /^x{99}$/.test(text)).length;
    expect(Math.abs(kept + left - 200_000)).toBeLessThan(20);
    expect(largest).toBeLessThan(18_000_000);
  });
});
