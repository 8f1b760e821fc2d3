import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { JobView, LogPage, SubmitResponse } from "#protocol/api.ts";
import { serve, type Serving } from "../../control-plane/serve.ts";
import { AgentBench, kill } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { systemClock } from "../../worker/agent/clock.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";

let program: Awaited<ReturnType<typeof agentProgram>>;
let dir: string;
let serving: Serving;
let bench: AgentBench;
let agent: ChildProcess;
let workerToken: string;

beforeAll(async () => {
  program = await agentProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-agent-lab-"));
  serving = await serve({ dataDir: dir, listen: "127.0.0.1:0" });
  workerToken = (await api<{ token: string }>("/workers", { name: "bench" })).token;
  await put("/devices/qemu-01");
  bench = new AgentBench(program.file, workerToken);
});
afterEach(async () => {
  await bench.close();
  await serving.close();
  rmSync(dir, { recursive: true, force: true });
});

async function call<T>(method: string, where: string, body?: unknown): Promise<T> {
  const token = readFileSync(path.join(dir, "admin-token"), "utf8").trim();
  const answer = await fetch(`${serving.url}/api/v1${where}`, {
    method,
    // A connection that is kept would be one to a server that is gone after a restart.
    headers: { authorization: `Bearer ${token}`, connection: "close" },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}
const api = <T>(where: string, body?: unknown): Promise<T> =>
  call<T>(body === undefined ? "GET" : "POST", where, body);
const put = (where: string): Promise<unknown> =>
  call("PUT", where, {
    device_type: "qemu",
    worker: "bench",
    configuration: aDeviceConfiguration(),
  });

const submit = async (): Promise<number> =>
  (await api<SubmitResponse>("/jobs", aJob())).job_ids[0]!;

/** Follows the log until it has so many lines, or is complete when no number is given. */
async function follow(id: number, lines = Infinity): Promise<LogPage["records"]> {
  const records: LogPage["records"] = [];
  for (;;) {
    const page = await api<LogPage>(`/jobs/${id}/log?start=${records.length}&wait=20`);
    records.push(...page.records);
    if (page.complete || records.length >= lines) return records;
  }
}

/** Waits until the attempt has said something. */
async function started(id: number, attempt: number): Promise<void> {
  for (;;) {
    const page = await api<LogPage>(`/jobs/${id}/log?wait=20`);
    if (page.attempt === attempt && page.records.length > 0) return;
  }
}

function expectWhole(records: LogPage["records"]): void {
  const messages = records.map(({ msg }) => msg);
  expect(messages.slice(0, -1)).toEqual(Array.from({ length: 20 }, (_, n) => `line-${n}`));
  expect(messages.at(-1)).toMatchObject({ definition: "lava", case: "job" });
}

test("a job runs from submission to Complete", async () => {
  agent = bench.startProcess(serving.url);
  const id = await submit();
  await follow(id, 10);
  bench.go(id, "on");
  expectWhole(await follow(id));
  expect(await api<JobView>(`/jobs/${id}`)).toMatchObject({
    state: "Finished",
    health: "Complete",
  });
  const { results } = await api<{ results: { name: string }[] }>(`/jobs/${id}/results`);
  expect(results.map(({ name }) => name)).toEqual(["job"]);
});

test("the agent is killed during the job, the control plane restarted, the log is whole", async () => {
  agent = bench.startProcess(serving.url);
  const id = await submit();
  await follow(id, 10);
  await kill(agent);
  const listen = new URL(serving.url).host;
  await serving.close();
  bench.go(id, "on");
  await bench.untilFile(id, "result");
  agent = bench.startProcess(`http://${listen}`);
  serving = await serve({ dataDir: dir, listen });
  expectWhole(await follow(id));
  expect(await api<JobView>(`/jobs/${id}`)).toMatchObject({
    state: "Finished",
    health: "Complete",
  });
});

test("a job is canceled, its device is free for the next", async () => {
  agent = bench.startProcess(serving.url);
  const id = await submit();
  const next = await submit();
  await follow(id, 10);
  await api(`/jobs/${id}/cancel`, {});
  await follow(id);
  expect(await api<JobView>(`/jobs/${id}`)).toMatchObject({
    state: "Finished",
    health: "Canceled",
  });
  expect(bench.processesOf(id)).toEqual([]);
  await follow(next, 10);
  bench.go(next, "on");
  expectWhole(await follow(next));
});

test("a job whose files are gone ends Incomplete as the lab's fault, and says so in its log", async () => {
  agent = bench.startProcess(serving.url);
  const id = await submit();
  await follow(id, 10);
  await kill(agent);
  for (const pid of bench.processesOf(id)) process.kill(pid, "SIGKILL");
  rmSync(path.join(bench.workDir, "jobs"), { recursive: true });
  agent = bench.startProcess(serving.url);
  const records = await follow(id);
  expect(records.at(-2)?.msg).toMatch(/no trace/);
  expect(await api<JobView>(`/jobs/${id}`)).toMatchObject({
    health: "Incomplete",
    error_type: "Infrastructure",
  });
});

test("a job that the lab has spoilt is run once more, by the same worker on its only device", async () => {
  agent = bench.startProcess(serving.url);
  const definition = aJob({ lines: ["retry_on: infrastructure"] });
  const [id = 0] = (await api<SubmitResponse>("/jobs", definition)).job_ids;
  await follow(id, 10);
  bench.go(id, "spoilt");
  const first = await api<LogPage>(`/jobs/${id}/log?attempt=1&start=10&wait=20`);
  expect(first.records[0]?.msg).toMatchObject({ case: "job", error_type: "Infrastructure" });
  await started(id, 2);
  bench.go(id, "on");
  expectWhole(await follow(id));
  expect(await api<JobView>(`/jobs/${id}`)).toMatchObject({
    state: "Finished",
    health: "Complete",
    attempt: 2,
    earlier_attempts: [{ attempt: 1, device: "qemu-01", error_msg: "no power", log_lines: 11 }],
  });
});

test("a worker whose token is wrong says so and begins when the token is put right", async () => {
  writeFileSync(bench.tokenFile, "pumice_wrong");
  let log: string[] = [];
  const agent = bench.start(serving.url, {
    ...systemClock,
    random: () => 0,
    sleep: (ms, signal) => {
      // The long delay after a refusal: the moment for a person to act.
      if (ms > 1000 && log.length > 0) writeFileSync(bench.tokenFile, workerToken);
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, 10);
        signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
      });
    },
  });
  log = agent.log;
  const id = await submit();
  await follow(id, 10);
  expect(log[0]).toMatch(/refuses this worker's token/);
  bench.go(id, "on");
  expectWhole(await follow(id));
});

test("a worker makes itself another token while it runs, and the one before can be revoked", async () => {
  const worker = bench.start(serving.url);
  const id = await submit();
  await follow(id, 10);
  const folder = watch(bench.dir);
  // The answer has no body.
  await call("POST", "/workers/bench/rotate", { overlap_seconds: 3600 }).catch(() => {});
  while (readFileSync(bench.tokenFile, "utf8").trim() === workerToken) await once(folder, "change");
  folder.close();
  expect(worker.log.join()).toContain("another token");
  const [, old = ""] = workerToken.split("_");
  await call("DELETE", `/tokens/${old}`).catch(() => {});
  bench.go(id, "on");
  expectWhole(await follow(id));
});
