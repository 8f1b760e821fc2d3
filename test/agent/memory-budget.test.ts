import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import {
  memoryUse,
  mostBeyond,
  reckon,
  tooLarge,
  type JobMemory,
} from "../../worker/agent/memory-budget.ts";

const MB = 1_000_000;
const job = (id: number, needMb: number, takenMb: number): JobMemory => ({
  id,
  needBytes: needMb * MB,
  takenBytes: takenMb * MB,
  runnerPid: undefined,
});

test("claimed is what is taken and what jobs and agent may still take", () => {
  const jobs = [job(1, 328, 100), job(2, 60, 70)];
  expect(reckon(10 * MB, jobs, undefined)).toEqual({
    takenBytes: 180 * MB,
    claimedBytes: (180 + 228 + 30) * MB,
  });
});

test("a control group's own count holds: others in it are in the way, too", () => {
  expect(reckon(10 * MB, [job(1, 60, 20)], 250 * MB)).toEqual({
    takenBytes: 250 * MB,
    claimedBytes: (250 + 40 + 30) * MB,
  });
});

test("who is ended is the furthest beyond its own need, not the largest; of equals the newest", () => {
  expect(mostBeyond([job(1, 328, 300), job(2, 60, 90)])?.id).toBe(2);
  expect(mostBeyond([job(1, 60, 50), job(2, 60, 50)])?.id).toBe(2);
  expect(mostBeyond([])).toBeUndefined();
});

test("a guest that never fits is refused with need, limit and remedy; a job without one may always try", () => {
  const limit = { bytes: 378 * MB, from: "its control group" };
  expect(tooLarge(limit, 338 * MB)).toBeUndefined();
  expect(tooLarge(limit, 339 * MB)).toMatch(
    /guest may take 279 MB .* 379 MB with runner and agent, .* 378 MB by its control group: give/,
  );
  expect(tooLarge({ ...limit, bytes: 50 * MB }, 60 * MB)).toBeUndefined();
});

test("a job takes what its runner takes and what that has started, in a session of its own, too", async () => {
  const eat =
    "const b = Buffer.alloc(80e6, 1); console.log(process.pid); setInterval(() => b, 1e6)";
  const start = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(eat)}], { detached: true, stdio: ["ignore", "inherit", "ignore"] }); setInterval(() => {}, 1e6)`;
  const child = spawn(process.execPath, ["-e", start], {
    detached: true,
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [printed] = (await once(child.stdout, "data")) as [Buffer];
  const { pid: runnerPid = 0 } = child;
  const limit = { bytes: 1000 * MB, from: "--max-rss" };
  const one = { id: 1, needBytes: 60 * MB, runnerPid };
  const gone = { id: 2, needBytes: 60 * MB, runnerPid: undefined };
  const use = memoryUse(limit, [one, gone]);
  expect(use.jobs[0]?.takenBytes).toBeGreaterThan(80 * MB);
  expect(use.jobs[1]?.takenBytes).toBe(0);
  expect(use.takenBytes).toBeGreaterThan(80 * MB);
  process.kill(Number(String(printed)), "SIGKILL");
  child.kill("SIGKILL");
  await once(child, "exit");
});
