import { expect, test } from "vitest";
import { runChaos } from "../../scripts/trials/chaos.ts";

test("a lab of which something breaks every few seconds heals: no job is lost, no record there twice, nothing is left over", async () => {
  const report = await runChaos({
    ...{ engine: "embedded", seconds: 18, seed: 11, workers: 2, guests: 0 },
    say: () => {},
  });
  const { wrong, violations, leaks, left_out } = report;
  for (const one of left_out) console.log(`left out: ${one}`);
  expect({ wrong, violations, leaks }).toEqual({ wrong: [], violations: [], leaks: [] });
  expect(report.faults.length).toBeGreaterThan(5);
  expect(report.submitted).toBeGreaterThan(0);
});
