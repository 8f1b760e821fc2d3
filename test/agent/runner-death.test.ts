import { expect, test } from "vitest";
import { identityOf } from "../../worker/host/process-table.ts";
import { explainDeath, type Death } from "../../worker/agent/runner-death.ts";

const runner = identityOf(process.pid);
const died = (death: Partial<Death>) => explainDeath({ runner, printed: "", ...death });

test.each<[string, Partial<Death>, "Infrastructure" | "Bug", RegExp]>([
  ["was killed", { signal: "SIGKILL" }, "Infrastructure", /ended by SIGKILL .* it was killed/],
  ["was killed while no agent was there", {}, "Infrastructure", /it was killed/],
  ["crashed", { signal: "SIGSEGV" }, "Bug", /ended by SIGSEGV without a result$/],
  [
    "gave up",
    { exitCode: 1, printed: "TypeError: x" },
    "Bug",
    /exit code 1 .* printed:\nTypeError/,
  ],
  ["crashed while no agent was there", { printed: "TypeError: x" }, "Bug", /TypeError/],
  [
    "had no memory left",
    { signal: "SIGABRT", printed: "FATAL ERROR: JavaScript heap out of memory" },
    "Infrastructure",
    /ran out of memory; it printed:\nFATAL/,
  ],
  [
    "had no room left",
    { exitCode: 1, printed: "ENOSPC: no space left on device, write" },
    "Infrastructure",
    /disk is full/,
  ],
  [
    "could not write its log",
    { exitCode: 1, printed: "Error: EROFS: read-only file system, write" },
    "Infrastructure",
    /disk can't be written to.*EROFS/s,
  ],
  [
    "couldn't be started",
    { startError: new Error("ENOENT") },
    "Bug",
    /could not be started: ENOENT/,
  ],
  [
    "ran before the machine was started anew",
    { runner: { pid: 7, started: "1@another-boot" } },
    "Infrastructure",
    /machine was started anew/,
  ],
  ["was stopped for a reason", { stoppedFor: "too large" }, "Infrastructure", /^too large$/],
])("a runner that %s", (_, death, errorType, message) => {
  expect(died(death)).toEqual({ errorType, message: expect.stringMatching(message) });
});
