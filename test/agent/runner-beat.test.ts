import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AgentDeps } from "../../worker/agent/agent-deps.ts";
import { systemClock } from "../../worker/agent/clock.ts";
import { RunnerProcess } from "../../worker/agent/runner-process.ts";
import { jobDirectoryAt, type JobDirectory } from "../../worker/host/job-directory.ts";
import { prepareBeat, STILL_MS, touchBeat, watchBeat } from "../../worker/host/runner-beat.ts";

let dir: JobDirectory;
beforeEach(() => {
  dir = jobDirectoryAt(mkdtempSync(path.join(tmpdir(), "pumice-beat-")));
  mkdirSync(dir.scratch);
});
afterEach(() => rmSync(dir.root, { recursive: true, force: true }));

test("a runner stands still when its file has not been touched for so long, seen from the agent", () => {
  let now = 0;
  const isStill = watchBeat(dir.beat, () => now);
  expect(isStill()).toBe(false);
  // An earlier version's runner has no such file.
  now += 10 * STILL_MS;
  expect(isStill()).toBe(false);
  writeFileSync(dir.beat, "");
  now += STILL_MS;
  expect(isStill()).toBe(false);
  now += STILL_MS - 1;
  expect(isStill()).toBe(false);
  // Whatever time the machine takes it for.
  utimesSync(dir.beat, 1, 1);
  now += 1;
  expect(isStill()).toBe(false);
  now += STILL_MS;
  expect(isStill()).toBe(true);
});

test("a file that only the agent has made says nothing of its runner", () => {
  let now = 0;
  const isStill = watchBeat(dir.beat, () => now);
  expect(prepareBeat(dir.beat)).toBe(true);
  expect(isStill()).toBe(false);
  now += 10 * STILL_MS;
  expect(isStill()).toBe(false);
  touchBeat(dir.beat);
  expect(isStill()).toBe(false);
  now += STILL_MS;
  expect(isStill()).toBe(true);
});

test("a runner whose pattern searches for ever is ended, and its job says why", async () => {
  const script = `require("fs").writeFileSync(${JSON.stringify(dir.beat)}, "");
    /^(a|aa)+(?=b)$/.test("a".repeat(200));`;
  // An hour goes by at each look of the agent.
  let hours = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + 3_600_000 * hours };
  const deps = {
    clock: {
      ...clock,
      sleep: async (_: number, signal?: AbortSignal) => {
        hours += 1;
        await systemClock.sleep(20, signal);
      },
    },
    runnerCommand: () => [process.execPath, "-e", script],
    log: () => {},
  } as unknown as AgentDeps;
  const runner = new RunnerProcess(deps, dir);
  runner.start();
  await runner.hasResultOrDied(new AbortController().signal);
  await runner.sweep();
  expect(runner.explainDeath()).toMatchObject({
    errorType: "Infrastructure",
    message: expect.stringContaining("did nothing for 5 minutes and was ended: a pattern"),
  });
});
