import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { root } from "../support/real-lab.ts";
import { noLava } from "../support/real-lava.ts";

const reason =
  noLava() ?? (process.env["PUMICE_TEST_LAVA"] ? "it starts one of its own" : undefined);
if (reason !== undefined) console.warn(`no LAVA to measure beside ours: ${reason}`);

const run = promisify(execFile);

describe.skipIf(reason !== undefined)("scripts/bench --against-lava", () => {
  test(
    "measures both and prints one JSON object with the ratios",
    { timeout: 300_000 },
    async () => {
      const args = [
        "--against-lava",
        "--quick",
        "--json",
        "--only",
        "memory,trivial,intake,requests",
      ];
      const { stdout } = await run(path.join(root, "scripts/bench"), args);
      const { machine, ratios, pumice, lava } = JSON.parse(stdout) as Record<
        "machine" | "ratios" | "pumice" | "lava",
        Record<string, unknown>
      >;
      expect(machine).toMatchObject({ runs: 1, lava: expect.stringContaining("LAVA 2") });
      const wanted = ["turnaround", "job_cpu", "submits", "submits_8", "submits_xmlrpc", "list"];
      for (const name of [
        ...wanted,
        "detail",
        "page",
        "intake",
        "server_memory",
        "worker_memory",
      ]) {
        expect(ratios[name], name).toBeGreaterThan(0);
        expect(pumice[name], name).toMatchObject({ median: expect.any(Number), runs: 1 });
        expect(lava[name], name).toMatchObject({ median: expect.any(Number), runs: 1 });
      }
    },
  );

  test("says what it can measure when it is asked for something else", async () => {
    const asked = run(path.join(root, "scripts/bench"), ["--against-lava", "--only", "nothing"]);
    await expect(asked).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("no such part: nothing"),
    });
  });
});
