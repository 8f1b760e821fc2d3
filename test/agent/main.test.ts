import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";
import { agentProgram } from "../support/agent-program.ts";

const root = path.resolve(import.meta.dirname, "../..");
const runtimes: [string, string][] = [
  ["Node.js 20", path.join(root, "node_modules/node20-linux-x64/bin/node")],
  ["Node.js 24", process.execPath],
  ["Bun", path.join(root, "node_modules/@oven/bun-linux-x64/bin/bun")],
];

const TOKEN_FILE = path.join(mkdtempSync(path.join(tmpdir(), "pumice-agent-main-")), "token");
writeFileSync(TOKEN_FILE, "a-token\n");
afterAll(() => rmSync(path.dirname(TOKEN_FILE), { recursive: true }));

let program: Awaited<ReturnType<typeof agentProgram>>;
beforeAll(async () => {
  program = await agentProgram();
});
afterAll(() => program.remove());

const run = (args: string[], runtime = process.execPath) =>
  spawnSync(runtime, [program.file, ...args], { encoding: "utf8" });

describe.each(runtimes)("pumice-worker under %s", (name, runtime) => {
  test("explains itself and tells its version", () => {
    if (!existsSync(runtime)) throw new Error(`${name} is not installed: run scripts/test`);
    const help = run(["--help"], runtime);
    expect([help.status, help.stderr]).toEqual([0, ""]);
    expect(help.stdout).toContain("pumice-worker start [--url URL");
    expect(run(["--version"], runtime).stdout).toBe(`pumice-worker ${VERSION}\n`);
  });
});

test("--help of a command is that command's own, in each of its forms", () => {
  const cache = run(["cache", "--help"]);
  expect([cache.status, cache.stderr]).toEqual([0, ""]);
  expect(cache.stdout).toMatch(/^ {2}pumice-worker cache \[list\|clean\].*\n {6}Lists .*\n$/);
  expect(run(["run", "-h"]).stdout.match(/^ {2}pumice-worker \w+/gm)).toEqual(
    Array(2).fill("  pumice-worker run"),
  );
});

test.each([
  [[], 2, "no command given"],
  [["stert"], 2, "unknown command stert, did you mean start?"],
  [["start", "--url", "a", "--url", "b"], 2, "--url is there twice: once is enough"],
  [["stop"], 2, "unknown command stop"],
  [["constructor"], 2, "unknown command constructor"],
  [["start"], 2, "--url is missing"],
  [["start", "http://x"], 2, "start: unexpected argument http://x; see pumice-worker start --help"],
  [["install", "--print", "--uninstall"], 2, "--print goes with neither"],
  [["install", "--user", "", "--root", "/"], 2, `--user "": expected a user's name`],
  [
    ["power", "shelly", "http://x", "1", "on", "--delay", "x"],
    2,
    '--delay: expected seconds, not "x"',
  ],
  [["start", "--url", "http://x", "--tokenfile", "y"], 2, "Unknown option '--tokenfile'"],
  [["run"], 2, "expected exactly one job file"],
  [["run", "job.yaml"], 2, "--device is missing"],
  [["start", "--url", "http://x", "--token-file", "/none/t", "--work-dir", "/none"], 1, "/none/t"],
  [["start", "--url", "http://x", "--token-file", import.meta.filename], 1, "expected one line"],
  [["start", "--url", "lab", "--token-file", "y"], 2, "lab is no http:// or https:// address"],
  [
    ["start", "--url", "http://x:8400/api/v1", "--token-file", "y"],
    2,
    "expected that of the lab, http://x:8400",
  ],
  [["enrol", "http://x/api/v1/", "bench:1"], 2, "expected that of the lab, http://x;"],
  [["start", "--url", "http://x", "--token", "t"], 2, "others on this machine see what is typed"],
  [["start", "--url", "http://x", "--ws-url", "t"], 2, "--ws-url goes with --protocol lava"],
  [["start", "--token-fil", "y"], 2, "Unknown option '--token-fil', did you mean --token-file?"],
  [
    ["start", "--url", "http://x", "--token-file", "/none/t"],
    1,
    'there is no file /none/t: expected the token that "pumice workers add" printed',
  ],
  [
    ["start", "--url", "http://x", "--token-file", TOKEN_FILE, "--work-dir", "/proc/pumice/x"],
    1,
    "no folder can be made in /proc: name another place than /proc/pumice",
  ],
  [["doctor", "--settings", "/none/s.env"], 2, "there is no file /none/s.env"],
  [["run", "/none/j.yaml", "--device", "d"], 2, "/none/j.yaml: there is no such file"],
] as const)("%j ends with exit code %i and says why", (args, status, text) => {
  const ended = run([...args]);
  expect(ended.stderr).toContain(text);
  expect(ended.status).toBe(status);
});
