import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { AgentBench, kill } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { FakeControlPlane, type FakeJob, type FakeRequest } from "../support/fake-control-plane.ts";

const root = path.resolve(import.meta.dirname, "../..");
const runtimes: [string, string][] = [
  ["Node.js 20", path.join(root, "node_modules/node20-linux-x64/bin/node")],
  ["Node.js 24", process.execPath],
  ["Bun", path.join(root, "node_modules/@oven/bun-linux-x64/bin/bun")],
];

let program: Awaited<ReturnType<typeof agentProgram>>;
let plane: FakeControlPlane;
let bench: AgentBench;
let agent: ChildProcess;
beforeAll(async () => {
  program = await agentProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  plane = await new FakeControlPlane().listen();
  bench = new AgentBench(program.file, plane.token);
});
afterEach(async () => {
  await bench.close();
  await plane.stop().catch(() => {});
});

/** Kills the agent in the middle of the `nth` request of a kind and starts another; `is` limits to such requests. */
function killDuring(what: string, fault: "drop" | "lose", nth = 1, runtime = process.execPath) {
  let seen = 0;
  plane.fault = (request: FakeRequest) => {
    if (request.what !== what || ++seen !== nth) return undefined;
    void kill(agent).then(() => (agent = bench.startProcess(plane.url, runtime)));
    return fault;
  };
}

const messages = (job: FakeJob): unknown[] =>
  job.lines.map((line) => (JSON.parse(line) as { msg: unknown }).msg);

const whole = (lines: number): unknown[] => [
  ...Array.from({ length: lines }, (_, n) => `line-${n}`),
  expect.objectContaining({ case: "job", result: "pass" }),
];

describe("an agent killed with SIGKILL", () => {
  test.each([
    ["while its news are on their way", "sync", "drop", 3],
    ["when the answer that starts the job was lost", "sync", "lose", 2],
    ["while it asks where to upload", "log-uploads", "lose", 1],
    ["between upload and commit", "put", "lose", 1],
    ["between the control plane's commit and its answer", "log-chunks", "lose", 1],
    ["before the last commit arrived", "log-chunks", "drop", 2],
    ["before its finish arrived", "finish", "drop", 1],
    ["after its finish arrived, before it knew", "finish", "lose", 1],
  ] as const)("%s loses nothing and doubles nothing", async (_, what, fault, nth) => {
    killDuring(what, fault, nth);
    const job = plane.submit(1, [{ log: 20 }, { wait: "on" }, { log: 20 }]);
    agent = bench.startProcess(plane.url);
    await plane.until(() => job.lines.length === 20);
    bench.go(1, "on");
    expect(messages(await plane.finished(1))).toEqual(whole(40));
    await bench.untilJobs((names) => names.length === 0);
  });

  test.each(runtimes)("finds its runner again under %s", async (name, runtime) => {
    if (!existsSync(runtime)) throw new Error(`${name} is not installed: run scripts/test`);
    const job = plane.submit(1, [{ log: 5 }, { wait: "on" }, { log: 5 }]);
    agent = bench.startProcess(plane.url, runtime);
    await plane.until(() => job.lines.length === 5);
    const runners = bench.processesOf(1);
    await kill(agent);
    expect(bench.processesOf(1)).toEqual(runners);
    agent = bench.startProcess(plane.url, runtime);
    await plane.until(() => plane.requests.includes("log-tail 1"));
    expect(bench.processesOf(1)).toEqual(runners);
    bench.go(1, "on");
    expect(messages(await plane.finished(1))).toEqual(whole(10));
  });

  test("between ticket and runner has its successor start it, once", async () => {
    const job = plane.submit(1, [{ log: 5 }]);
    const dir = jobDirectory(bench.workDir, 1);
    mkdirSync(dir.root, { recursive: true });
    const ticket = { job_id: 1, token: "token-1", definition: job.definition };
    writeFileSync(dir.ticket, JSON.stringify(ticket));
    agent = bench.startProcess(plane.url);
    expect(messages(await plane.finished(1))).toEqual(whole(5));
  });

  test("while it wrote a ticket leaves no rubbish to its successor", async () => {
    const dir = jobDirectory(bench.workDir, 1);
    mkdirSync(dir.root, { recursive: true });
    writeFileSync(`${dir.ticket}.1a2b3c4d`, '{"job_id": 1');
    plane.submit(1, [{ log: 5 }]);
    agent = bench.startProcess(plane.url);
    expect(messages(await plane.finished(1))).toEqual(whole(5));
    rmSync(dir.root, { recursive: true, force: true });
  });
});

test("a terminated agent stops at once with exit code 0 and its runner goes on", async () => {
  const job = plane.submit(1, [{ log: 1 }, { wait: "on" }]);
  agent = bench.startProcess(plane.url);
  await plane.until(() => job.lines.length === 1);
  agent.kill("SIGTERM");
  const code = await new Promise((resolve) => agent.once("exit", resolve));
  expect(code).toBe(0);
  expect(bench.processesOf(1)).toHaveLength(1);
  bench.go(1, "on");
  await bench.untilFile(1, "result");
});
