import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { root } from "../support/real-lab.ts";

const run = promisify(execFile);

/** As docs/noise.md has it. */
const ASKED = "scripts/bench console --only journal --runs 1 --seed 4711";

test("one run over a noisy line is repeated by its seed, and loses, invents and misjudges nothing", async () => {
  const [program = "", ...args] = ASKED.split(" ");
  const { stdout } = await run(path.join(root, program), args);
  expect(stdout).toMatch(/^journal +1 +0 +0 +0 +0 +2 +0$/m);
});
