import { describe, expect, test } from "vitest";
import { runTarget } from "./engine/run-target.ts";
import { makeRandom } from "./engine/random.ts";
import { mutate } from "./engine/mutate.ts";
import { seedsOf, TARGET_NAMES } from "./targets.ts";

/*
 * The corpus, which has all that was ever found, and a few new inputs, the same in every run. `scripts/fuzz` looks for longer.
 */
describe("whatever others write, it is taken or refused by name: no crash, no hang, no growth", () => {
  test.each(TARGET_NAMES)("%s", async (name) => {
    const report = await runTarget(name, {
      ...{ seed: 20, runs: 24, seconds: 60, hangSeconds: 20, heapMb: 768 },
      seeds: await seedsOf(name),
    });
    expect(report.findings.map(({ kind, what }) => `${kind}: ${what}`)).toEqual([]);
    // Otherwise nothing would have been tried.
    expect(report.functions).toBeGreaterThan(10);
    expect(report.runs).toBeGreaterThan(24);
  });
});

test.each([
  ["an error, whose input is made short", "a null is in here", 60, "crash", "null"],
  ["a hang", "hang", 2, "hang", "hang"],
  ["growth", "grow", 60, "growth", "grow"],
])("%s is found", async (_what, seed, hangSeconds, kind, input) => {
  const { findings } = await runTarget("faulty", {
    ...{ seed: 1, runs: 0, seconds: 120, hangSeconds, heapMb: 96, seeds: [Buffer.from(seed)] },
  });
  const found = findings.map((one) => [one.kind, Buffer.from(one.input).toString()]);
  expect(found).toEqual([[kind, input]]);
});

test("the same seed makes the same inputs", () => {
  const input = Buffer.from("job_name: a\ntimeouts: {job: {minutes: 1}}\n");
  const sources = { words: [Buffer.from("actions:")], corpus: [input] };
  const made = (seed: number): string[] => {
    const random = makeRandom(seed);
    return Array.from({ length: 50 }, () =>
      Buffer.from(mutate(input, random, sources)).toString("hex"),
    );
  };
  expect(made(1)).toEqual(made(1));
  expect(made(1)).not.toEqual(made(2));
});
