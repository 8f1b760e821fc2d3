import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { completeLog } from "../../worker/agent/complete-log.ts";
import { jobDirectoryAt, type JobDirectory } from "../../worker/host/job-directory.ts";

let dir: JobDirectory;
beforeEach(() => {
  dir = jobDirectoryAt(mkdtempSync(path.join(tmpdir(), "pumice-complete-")));
});
afterEach(() => rmSync(dir.root, { recursive: true, force: true }));

const ending = { errorType: "Bug", message: "it died" } as const;
const now = Date.parse("2026-03-01T12:00:00.5Z");
const log = (): unknown[] =>
  readFileSync(dir.log, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
const dt = "2026-03-01T12:00:00.500000+00:00";
const final = {
  dt,
  lvl: "results",
  msg: {
    definition: "lava",
    case: "job",
    result: "fail",
    error_msg: "it died",
    error_type: "Bug",
  },
};

test("a log without an end gets one, a half record is cut off, and the result counts it all", () => {
  writeFileSync(dir.log, '{"lvl":"info","msg":"a"}\n{"lvl":"info","m');
  const result = completeLog(dir, now, ending);
  expect(log()).toEqual([
    { lvl: "info", msg: "a" },
    { dt, lvl: "exception", msg: "it died" },
    final,
  ]);
  expect(result).toEqual({ result: "fail", error_type: "Bug", error_msg: "it died", lines: 3 });
  expect(JSON.parse(readFileSync(dir.result, "utf8"))).toEqual(result);
});

test("doing it again, as after a kill before the result was written, changes nothing", () => {
  const result = completeLog(dir, now, ending);
  rmSync(dir.result);
  expect(completeLog(dir, now + 1000, { ...ending, message: "another" })).toEqual(result);
  expect(log()).toHaveLength(2);
});

test("a log with its final record keeps it, whatever follows it in part", () => {
  const msg = { definition: "lava", case: "job", result: "pass" };
  writeFileSync(dir.log, `{"lvl":"info","msg":"a"}\n${JSON.stringify({ lvl: "results", msg })}\n{`);
  expect(completeLog(dir, now, ending)).toEqual({ result: "pass", lines: 2 });
  expect(log()).toHaveLength(2);
});

test("a long log with long lines is counted right", () => {
  const line = JSON.stringify({ lvl: "target", msg: "x".repeat(90_000) });
  writeFileSync(dir.log, `${`${line}\n`.repeat(10)}${line.slice(0, 50_000)}`);
  expect(completeLog(dir, now, ending).lines).toBe(12);
  expect(log()).toHaveLength(12);
});
