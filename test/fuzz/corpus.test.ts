import { describe, expect, test } from "vitest";
import { runTarget } from "./engine/run-target.ts";
import { makeRandom } from "./engine/random.ts";
import { mutate } from "./engine/mutate.ts";
import { TARGETS } from "./targets.ts";

/*
 * The corpus, which has all that was ever found, and a few new inputs, the same in every run. `scripts/fuzz` looks for longer.
 */
describe("whatever others write, it is taken or refused by name: no crash, no hang, no growth", () => {
  test.each(Object.keys(TARGETS))("%s", async (name) => {
    const report = await runTarget(name, {
      ...{ seed: 20, runs: 24, seconds: 60, hangSeconds: 20, heapMb: 768 },
      seeds: (TARGETS[name]?.seeds() ?? []).map((one) => Buffer.from(one as Uint8Array)),
    });
    expect(report.findings.map(({ kind, what }) => `${kind}: ${what}`)).toEqual([]);
    // Otherwise nothing would have been tried.
    expect(report.functions).toBeGreaterThan(10);
    expect(report.runs).toBeGreaterThan(24);
  });
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
