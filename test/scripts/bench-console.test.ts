import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { root } from "../support/real-lab.ts";

const run = promisify(execFile);

/** As docs/noise.md has it. */
const ASKED = "scripts/bench console --only journal --runs 1 --seed 4711";

test("one run over a noisy line is asked for by its seed, and loses, invents and misjudges nothing", async () => {
  const [program = "", ...args] = ASKED.split(" ");
  const { stdout, stderr } = await run(path.join(root, program), args);
  // How much a DUT that died could not say again, and was said to be lost, depends on how far it was then.
  expect(stdout, `${stdout}\n${stderr}`).toMatch(/^journal +1 +0 +0 +0 +0 +\d+ +0$/m);
});
