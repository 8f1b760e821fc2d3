import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const worker = path.resolve(import.meta.dirname, "../../worker");

/** What the wall clock is for: dates that people read, and the answer to "what time is it?". */
const MAY_ASK = new Set([
  "agent/clock.ts",
  "agent/server-clock.ts",
  "host/http-client.ts",
  "host/network/explain.ts",
  "host/server-time.ts",
]);

test("durations of the worker are measured by a clock that nobody sets: a board's clock may jump by decades in a job", () => {
  const asking = readdirSync(worker, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts") && !file.startsWith("doctor/"))
    .filter((file) => /\bDate\.now\b/.test(readFileSync(path.join(worker, file), "utf8")));
  expect(asking.filter((file) => !MAY_ASK.has(file))).toEqual([]);
});
