import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AgentDeps } from "../../worker/agent/agent-deps.ts";
import { Readiness } from "../../worker/agent/readiness.ts";
import { ManualClock } from "../support/manual-clock.ts";

let workDir: string;
let clock: ManualClock;
let stop: AbortController;
let rings: number;
let limits: { keepBytes: number; minFreeBytes: number };
let readiness: Readiness;
beforeEach(() => {
  workDir = mkdtempSync(path.join(tmpdir(), "pumice-readiness-"));
  clock = new ManualClock();
  stop = new AbortController();
  rings = 0;
  limits = { keepBytes: 0, minFreeBytes: 0 };
  const deps = { workDir, clock, limits, changed: () => (rings += 1), log: () => {} };
  readiness = new Readiness(deps as unknown as AgentDeps, new Map());
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
test.runIf(process.getuid?.() === 0)(
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
