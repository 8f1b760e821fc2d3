import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readFileSync } from "node:fs";
import { AgentBench } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { FakeControlPlane, type FakeJob } from "../support/fake-control-plane.ts";

let program: Awaited<ReturnType<typeof agentProgram>>;
let plane: FakeControlPlane;
let bench: AgentBench;
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

const messages = (job: FakeJob): unknown[] =>
  job.lines.map((line) => (JSON.parse(line) as { msg: unknown }).msg);

describe("a worker that may take no more than some memory", () => {
  test("ends the job whose runner takes too much, as the lab's fault; the agent and the other job go on", async () => {
    const good = plane.submit(1, [{ log: 3 }, { wait: "on" }, { log: 3 }]);
    const bad = plane.submit(2, [{ log: 3 }, { wait: "eat" }, { eat: 400 }, { wait: "never" }]);
    const agent = bench.startProcess(plane.url, undefined, { PUMICE_MAX_RSS: "350" });
    await plane.until(() => good.lines.length === 3 && bad.lines.length === 3);
    bench.go(2, "eat");
    await plane.finished(2);
    expect(bad.finish).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(bad.finish?.error_msg).toMatch(
      /^the runner took 4\d\d MB of memory, and agent and runners together \d+ MB: they may take 350 MB by --max-rss/,
    );
    expect(messages(bad).slice(0, 3)).toEqual(["line-0", "line-1", "line-2"]);
    expect(agent.exitCode).toBeNull();
    bench.go(1, "on");
    expect((await plane.finished(1)).finish).toMatchObject({ result: "pass" });
  });

  test("takes no more jobs at a time than it has memory for, and the others afterwards", async () => {
    const ids = [1, 2, 3];
    for (const id of ids) plane.submit(id, [{ log: 1 }, { wait: "on" }]);
    bench.startProcess(plane.url, undefined, { PUMICE_MAX_RSS: "170" });
    await plane.until(() => plane.syncs.some((sync) => sync.no_jobs !== undefined));
    const told = plane.syncs.find((sync) => sync.no_jobs !== undefined);
    expect(told?.no_jobs).toMatch(/170 MB of memory .* by --max-rss .* are enough for 2 at a time/);
    expect(told?.runners).toHaveLength(2);
    for (const id of ids.slice(0, 2)) {
      bench.go(id, "on");
      await plane.finished(id);
    }
    await plane.until(() => plane.job(3).lines.length === 1);
    expect(plane.syncs.at(-1)?.no_jobs).toBeUndefined();
    bench.go(3, "on");
    await plane.finished(3);
  });

  test("has its runners killed before the agent when the machine's memory runs out", async () => {
    const job = plane.submit(1, [{ log: 1 }, { wait: "on" }]);
    const agent = bench.startProcess(plane.url);
    await plane.until(() => job.lines.length === 1);
    const score = (pid: number): number =>
      Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8"));
    const [runner = 0] = bench.processesOf(1);
    expect(score(runner)).toBeGreaterThan(score(agent.pid ?? 0));
    bench.go(1, "on");
    await plane.finished(1);
  });
});
