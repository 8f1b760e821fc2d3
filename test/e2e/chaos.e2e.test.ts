import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import type { ChaosReport } from "../../scripts/trials/chaos.ts";
import { root } from "../support/real-lab.ts";

test("a lab of which something breaks every few seconds heals: no job is lost, no record there twice, nothing is left over", async () => {
  const args = ["--minutes", "0.3", "--seed", "11", "--workers", "2", "--guests", "0", "--json"];
  // As a program: it goes into namespaces of its own for that.
  const chaos = spawn(path.join(root, "scripts/chaos"), args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output, [code]] = await Promise.all([text(chaos.stdout), once(chaos, "exit")]);
  const report = JSON.parse(output) as ChaosReport;
  const { wrong, violations, leaks, left_out } = report;
  for (const one of left_out) console.log(`left out: ${one}`);
  expect({ wrong, violations, leaks }).toEqual({ wrong: [], violations: [], leaks: [] });
  expect(code).toBe(0);
  expect(report.faults.length).toBeGreaterThan(5);
  expect(report.submitted).toBeGreaterThan(0);
});
