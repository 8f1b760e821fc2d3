import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startGuestDut, type GuestDut } from "./noisy/guest-dut.ts";
import { noisyRun, type NoisyRan, type RunKind } from "./noisy/run.ts";
import { lacksForShells, lacksIsolation } from "./noisy/shell-dut.ts";

const problem = lacksForShells();
const notIsolated = problem ?? lacksIsolation();
for (const why of new Set([problem, notIsolated])) {
  if (why !== undefined) console.warn(`skipped: ${why}`);
}

const FIRST_SEED = 20_001;
const RUNS = 20;
const AT_A_TIME = 4;

/** What a run got wrong, with what is needed to do it again. */
const problems = ({ seed, kind, problems: found }: NoisyRan): string[] =>
  found.map((text) => `seed ${seed} (${kind}): ${text}`);

test.skipIf(problem)(`${RUNS} seeded runs over a noisy line record what was reported`, async () => {
  let next = FIRST_SEED;
  const found: string[] = [];
  const worker = async (): Promise<void> => {
    while (next < FIRST_SEED + RUNS) {
      found.push(...problems(await noisyRun({ seed: next++, factor: 1, journal: true })));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  expect(found).toEqual([]);
});

test.skipIf(problem)("10 MB of kernel messages at once, some times, disturb nothing", async () => {
  const more = { burst: 3000, stall: 3000 };
  const ran = await noisyRun({ seed: 5, factor: 1, journal: true, kind: "plain", more });
  expect(problems(ran)).toEqual([]);
});

test.skipIf(notIsolated)("a matcher without a journal, on the same line, does not", async () => {
  const { lost } = await noisyRun({ seed: FIRST_SEED, factor: 1, journal: false, kind: "plain" });
  expect(lost).toBeGreaterThan(0);
});

describe("a guest whose kernel talks all the time, of several processes", () => {
  let folder: string;
  let dut: GuestDut;
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "pumice-noisy-guest-"));
    dut = await startGuestDut(folder, console.error, { kernelTalkers: 3 });
  });
  afterAll(async () => {
    await dut?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each<[string, number, RunKind]>([
    ["reports a suite of 50 cases", 0, "plain"],
    ["does so behind a noisy line", 1, "plain"],
    ["raises its error behind a noisy line", 1, "raise"],
    ["that is reset in the middle: what arrived stands, the rest is said to be lost", 1, "reset"],
  ])("%s", async (_, factor, kind) => {
    const ran = await noisyRun({ seed: 31_000, factor, journal: true, dut, kind });
    expect(ran.log).toContain("talker says");
    expect(problems(ran), ran.log.slice(-3000)).toEqual([]);
  });
});
