import type { ChildProcess } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView, JobView, LogPage } from "#protocol/api.ts";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { AgentBench, kill } from "../support/agent-bench.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { guestDevice, guestJob, standInGuest } from "../support/stand-in-guest.ts";
import { workerProgram } from "../support/worker-program.ts";

let program: Awaited<ReturnType<typeof workerProgram>>;
let lab: Awaited<ReturnType<typeof listeningLab>>;
let bench: AgentBench;
let agent: ChildProcess;
beforeAll(async () => {
  program = await workerProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  lab = await listeningLab();
  bench = new AgentBench(program.file, await lab.addWorker());
});
afterEach(async () => {
  await bench.close();
  await lab.close();
});

/** What happened to the device, a word each. */
const switched = (): string[] =>
  readFileSync(path.join(bench.dir, "switched"), "utf8").split(/\s+/);

/** A device that is a program of this machine, on when it runs, and off when its power_off has said so. */
async function addDevice(powerOff = "echo off >> switched; echo the plug is off"): Promise<void> {
  const said = path.join(bench.dir, "switched");
  const command = path.join(bench.dir, "power-off");
  writeFileSync(command, `#!/bin/sh\n${powerOff.replaceAll("switched", said)}\n`);
  chmodSync(command, 0o755);
  const folder = path.join(bench.dir, "guest");
  mkdirSync(folder, { recursive: true });
  const boot = `echo on >> ${said}; for n in 1 2 3 4 5; do echo "line $n of the boot"; done; while :; do read -r line; done`;
  const configuration = `${guestDevice(standInGuest(folder, boot))}commands: {power_off: ${command}}\n`;
  await lab.addDevice("qemu-01", { configuration });
}

async function submit(): Promise<number> {
  const kernel = path.join(bench.dir, "kernel");
  writeFileSync(kernel, "a kernel");
  return lab.submit(`device_type: qemu\n${guestJob(kernel)}`);
}

const texts = (records: LogPage["records"]): string[] =>
  records.map(({ msg }) => (typeof msg === "string" ? msg : JSON.stringify(msg)));

/** The log up to a line that matches, or the end. */
async function follow(id: number, until = /(?!)/): Promise<string[]> {
  const records: LogPage["records"] = [];
  for (;;) {
    const page = await lab.api<LogPage>(`/jobs/${id}/log?start=${records.length}&wait=5`);
    records.push(...page.records);
    if (page.complete || texts(page.records).some((text) => until.test(text)))
      return texts(records);
  }
}

/** Ends everything at once, as when the board's plug is pulled. */
async function pullPlug(id: number): Promise<void> {
  await kill(agent);
  for (const pid of bench.processesOf(id)) process.kill(pid, "SIGKILL");
}

/** A job in the middle of its boot, and then nothing of the worker but its disk. */
async function interrupted(): Promise<number> {
  agent = bench.startProcess(lab.url);
  const id = await submit();
  await follow(id, /line 5 of the boot/);
  await pullPlug(id);
  return id;
}

const restart = (): void => void (agent = bench.startProcess(lab.url));

describe("a worker that loses its power in the middle of a job", () => {
  beforeEach(() => addDevice());

  test("ends the job as the lab's fault at its next start, with its whole log and the device switched off", async () => {
    const id = await interrupted();
    restart();
    const log = await follow(id);
    expect(log.filter((text) => /^line \d of the boot/.test(text))).toHaveLength(5);
    expect(log).toContain(">> the plug is off");
    expect(switched().slice(0, 2)).toEqual(["on", "off"]);
    expect(await lab.job(id)).toMatchObject({
      state: "Finished",
      health: "Incomplete",
      error_type: "Infrastructure",
      error_msg: expect.stringMatching(/the runner ended without a result: it was killed/),
    });
    await bench.untilJobs((names) => names.length === 0);
  });

  test("says when it was the machine that was started anew", async () => {
    const id = await interrupted();
    const { runner } = jobDirectory(bench.workDir, id);
    const claim = JSON.parse(readFileSync(runner, "utf8")) as { pid: number; started: string };
    writeFileSync(runner, JSON.stringify({ ...claim, started: "1234@another-boot" }));
    restart();
    await follow(id);
    expect((await lab.job(id)).error_msg).toMatch(/machine was started anew/);
  });

  test.each<[string, (id: number) => void]>([
    ["a half record", (id) => appendFileSync(files(id).log, '{"dt": "2026-03-')],
    ["a claim without content", (id) => truncateSync(files(id).runner)],
    ["a result without content", (id) => writeFileSync(files(id).result, "")],
    ["a result cut in the middle", (id) => writeFileSync(files(id).result, '{"result": "pa')],
    ["a ticket without content", (id) => truncateSync(files(id).ticket)],
    ["a ticket cut in the middle", (id) => truncateSync(files(id).ticket, 100)],
    ["no ticket", (id) => rmSync(files(id).ticket)],
    [
      "no ticket, nor the first part of the log, which was delivered,",
      (id) => {
        const { log, ticket } = files(id);
        const lines = readFileSync(log, "utf8").split("\n");
        writeFileSync(`${log}.3`, lines.slice(3).join("\n"));
        rmSync(log);
        rmSync(ticket);
      },
    ],
    ["files that were being written", (id) => writeFileSync(`${files(id).ticket}.1a2b3c4d`, "{")],
  ])(
    "finds %s on its disk and still tells the end, with the log and the device off",
    async (_, spoil) => {
      const id = await interrupted();
      spoil(id);
      restart();
      const log = await follow(id);
      expect(log.filter((text) => /^line \d of the boot/.test(text))).toHaveLength(5);
      expect(switched()).toEqual(["on", "off", ""]);
      expect(await lab.job(id)).toMatchObject({
        health: "Incomplete",
        error_type: "Infrastructure",
      });
    },
  );

  test("switches the device off even when its whole disk is another one", async () => {
    const id = await interrupted();
    rmSync(path.join(bench.workDir, "jobs"), { recursive: true });
    restart();
    const log = await follow(id);
    expect(switched()).toEqual(["on", "off", ""]);
    expect(log).toContain("line 5 of the boot");
    expect((await lab.job(id)).error_msg).toMatch(/no trace of this job/);
  });

  test("switches the device off before another job gets it", async () => {
    const id = await interrupted();
    const next = await submit();
    expect((await lab.api<DeviceView>("/devices/qemu-01")).current_job).toBe(id);
    restart();
    await follow(next, /line 5 of the boot/);
    expect(switched()).toEqual(["on", "off", "on", ""]);
  });

  test("switches it off once more when it is killed at that, too", async () => {
    const id = await interrupted();
    await addDevice("echo off >> switched; sleep 1000");
    restart();
    await expect.poll(() => switched().length, { timeout: 20_000, interval: 20 }).toBe(3);
    await pullPlug(id);
    await addDevice();
    restart();
    const log = await follow(id);
    expect(switched()).toEqual(["on", "off", "off", ""]);
    expect(log.filter((text) => /^line \d of the boot/.test(text))).toHaveLength(5);
    expect(log.at(-1)).toMatch(/"case":"job"/);
    expect(bench.processesOf(id)).toEqual([]);
  });
});

test("a device that can't be switched off after a power cut is said to be on, in log and job", async () => {
  await addDevice("echo the plug does not answer; exit 3");
  const id = await interrupted();
  restart();
  const log = await follow(id);
  expect(log.join("\n")).toMatch(/Unable to power-off: .* exit code 3; it said last: the plug/);
  const job: JobView = await lab.job(id);
  expect(job.error_type).toBe("Infrastructure");
  expect(job.error_msg).toMatch(/its device may still be on, see the log/);
  expect((await lab.api<DeviceView>("/devices/qemu-01")).health).toBe("Unknown");
});

const files = (id: number) => jobDirectory(bench.workDir, id);
