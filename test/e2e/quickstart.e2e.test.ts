import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { processesOf, root } from "../support/real-lab.ts";

let data: string;
beforeAll(() => {
  data = mkdtempSync(path.join(tmpdir(), "pumice-quickstart-"));
});
afterAll(() => rmSync(data, { recursive: true, force: true }));

const quickstart = (...more: string[]): { status: number | null; text: string } => {
  // From another folder: the scripts run from anywhere.
  const args = ["--once", "--listen", "127.0.0.1:0", "--data", data, ...more];
  const ended = spawnSync(path.join(root, "scripts/quickstart"), args, {
    encoding: "utf8",
    cwd: tmpdir(),
  });
  return { status: ended.status, text: ended.stdout + ended.stderr };
};

test("quickstart --once runs a job, shows log and results, leaves nothing running and keeps its data", () => {
  const first = quickstart();
  expect(first.status, first.text.slice(-3000)).toBe(0);
  expect(first.text).toContain("Linux version");
  expect(first.text).toMatch(/sign-in\?code=/);
  expect(processesOf(data)).toEqual([]);

  const second = quickstart();
  expect(second.status, second.text.slice(-3000)).toBe(0);
  const id = (text: string): number => Number(/\bjobs\/(\d+)\b/.exec(text)?.[1]);
  expect(id(second.text)).toBe(id(first.text) + 1);
});

test("quickstart refuses what it does not know, and says what it knows", () => {
  const { status, text } = quickstart("--nonsense");
  expect(status).toBe(2);
  expect(text).toContain("--listen HOST:PORT");
});
