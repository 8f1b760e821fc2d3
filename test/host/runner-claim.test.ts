import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJsonFile, writeFileAtomic } from "../../worker/host/atomic-file.ts";
import { identityOf } from "../../worker/host/process-table.ts";
import { claimRunner, readRunner } from "../../worker/host/runner-claim.ts";
import { lockWorkDir } from "../../worker/host/work-dir-lock.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-host-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test("a job is claimed by the first process only", () => {
  const file = path.join(dir, "runner.json");
  expect(readRunner(file)).toBeUndefined();
  expect(claimRunner(file)).toBe(true);
  expect(claimRunner(file)).toBe(false);
  expect(readRunner(file)).toEqual(identityOf(process.pid));
  expect(readdirSync(dir)).toEqual(["runner.json"]);
});

test("a file is replaced whole, and a damaged one reads as none", () => {
  const file = path.join(dir, "a.json");
  writeFileAtomic(file, '{"a": 1}');
  writeFileAtomic(file, '{"a": 2}');
  expect(readJsonFile(file)).toEqual({ a: 2 });
  writeFileSync(file, '{"a"');
  expect(readJsonFile(file)).toBeUndefined();
  expect(readJsonFile(path.join(dir, "none"))).toBeUndefined();
});

test("a work folder is locked by a live agent and not by a dead one's file", () => {
  const lock = lockWorkDir(dir);
  expect(readdirSync(path.join(dir, "lock"))).toHaveLength(1);
  lock.release();
  writeFileSync(path.join(dir, "lock", `${process.ppid}.1@an-earlier-boot`), "");
  const again = lockWorkDir(dir);
  expect(readdirSync(path.join(dir, "lock"))).toHaveLength(1);
  again.release();
  const parent = identityOf(process.ppid);
  writeFileSync(path.join(dir, "lock", `${parent?.pid}.${parent?.started}`), "");
  expect(() => lockWorkDir(dir)).toThrow(/in use by another agent, process \d+/);
});
