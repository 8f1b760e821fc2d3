import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AgentDeps } from "../../worker/agent/agent-deps.ts";
import { Readiness } from "../../worker/agent/readiness.ts";
import type { JobKeeper } from "../../worker/agent/job-keeper.ts";
import type { MemoryLimit } from "../../worker/host/memory-limit.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { lacking } from "../support/lacking.ts";

let workDir: string;
let clock: ManualClock;
let stop: AbortController;
let rings: number;
let limits: { keepBytes: number; minFreeBytes: number; memory?: MemoryLimit };
let jobs: Map<number, JobKeeper>;
let readiness: Readiness;
beforeEach(() => {
  workDir = mkdtempSync(path.join(tmpdir(), "pumice-readiness-"));
  clock = new ManualClock();
  stop = new AbortController();
  rings = 0;
  limits = { keepBytes: 0, minFreeBytes: 0 };
  const deps = { workDir, clock, limits, changed: () => (rings += 1), log: () => {} };
  jobs = new Map();
  readiness = new Readiness(deps as unknown as AgentDeps, jobs);
  void readiness.watch(stop.signal);
});
afterEach(() => {
  stop.abort();
  rmSync(workDir, { recursive: true, force: true });
});

/** The next look at the disk, which is full when more is asked of it than there can be. */
async function look(isFull: boolean): Promise<void> {
  limits.minFreeBytes = isFull ? Infinity : 0;
  await clock.until((delays) => delays.includes(2000));
  clock.advance(2000);
  await clock.until((delays) => delays.includes(2000));
}

test("what has changed is rung for once, until it is told", async () => {
  await look(false);
  expect(rings).toBe(0);
  await look(true);
  await look(true);
  expect(rings).toBe(1);
  expect(readiness.tell()).toMatch(/^disk full at /);
  await look(true);
  expect(rings).toBe(1);
});

test("a disk that has room again is rung for, though between two looks it was told to be full", async () => {
  await look(false);
  limits.minFreeBytes = Infinity;
  expect(readiness.tell()).toMatch(/^disk full at /);
  await look(false);
  expect(rings).toBe(1);
  expect(readiness.tell()).toBeUndefined();
});

test("so is one that has room again by the look after the one that found it full", async () => {
  await look(true);
  expect(readiness.tell()).toMatch(/^disk full at /);
  await look(false);
  expect(rings).toBe(2);
});

test("a work folder out of reach is a reason, and no end of the agent", async () => {
  rmSync(workDir, { recursive: true });
  await look(false);
  expect(readiness.tell()).toMatch(/^its work folder can't be used: ENOENT/);
});

// Only root may mount.
test.skipIf(lacking(process.getuid?.() !== 0, "it needs root"))(
  "so is a card that has become read-only, with all its room",
  async () => {
    execFileSync("mount", ["-t", "tmpfs", "-o", "ro", "tmpfs", workDir]);
    try {
      await look(false);
      expect(rings).toBe(1);
      expect(readiness.tell()).toMatch(/^its work folder can't be used: EROFS/);
    } finally {
      execFileSync("umount", ["--lazy", workDir]);
    }
  },
);

describe("in a control group whose memory something else takes", () => {
  let killed: string[];
  /** A job that this process stands in for. */
  function runJob(needBytes: number): void {
    const job = { needBytes, hasBegun: true, runnerPid: process.pid, isKilled: false };
    const keeper = { ...job, report: { job_id: 7 }, kill: (why: string) => killed.push(why) };
    jobs.set(7, keeper as unknown as JobKeeper);
  }
  beforeEach(() => {
    killed = [];
    runJob(9e12);
    writeFileSync(path.join(workDir, "memory.stat"), "anon 500000000\nshmem 1000000\n");
    limits.memory = { bytes: 300_000_000, from: "its control group", group: workDir };
  });

  test("no job begins, and none is ended that keeps within what it was reckoned to take", async () => {
    await look(false);
    expect(readiness.tell()).toMatch(/^another job may need 60 MB .* 0 MB are left of the 300 MB/);
    expect(readiness.hasMemoryFor(8, 328_000_000)).toBe(false);
    expect(killed).toEqual([]);
  });

  test("one that goes beyond that is, since the kernel would have to choose next", async () => {
    runJob(1);
    await look(false);
    expect(killed[0]).toMatch(
      /^the runner took \d+ MB of memory with what it has started, .* took 501 MB: they may take 300 MB/,
    );
  });

  test("a large job waits even when none runs, and says why", () => {
    jobs.clear();
    expect(readiness.hasMemoryFor(8, 60_000_000)).toBe(true);
    expect(readiness.hasMemoryFor(8, 128_000_000)).toBe(false);
    expect(readiness.tell()).toMatch(
      /^job 8 may need 128 MB .* none running: something else takes/,
    );
  });
});
