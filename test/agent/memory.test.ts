import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { AgentBench, kill } from "../support/agent-bench.ts";
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

/** A job whose device is a QEMU with so many MiB; the stand-in says ten lines, waits for "on", and says ten more. */
function submitGuest(id: number, mebibytes: number): FakeJob {
  const job = plane.submit(id, { actions: [{ boot: { method: "qemu" } }] });
  const qemu = { parameters: { command: "qemu-system-", options: [`-m ${mebibytes}`] } };
  job.configuration = JSON.stringify({ actions: { boot: { methods: { qemu } } } });
  return job;
}

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
    // It may be seen before it has all.
    expect(bad.finish?.error_msg).toMatch(
      /^the runner took [34]\d\d MB of memory with what it has started, .* agent and jobs together took \d+ MB: they may take 350 MB by --max-rss/,
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
    expect(told?.no_jobs).toMatch(
      /^(another job|job 3) may need 60 MB of memory, and \d+ MB are left of the 170 MB .* by --max-rss .*, 2 running/,
    );
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

  test("ends the job whose guest takes too much, and the guest", async () => {
    const bad = plane.submit(1, [{ log: 3 }, { feed: 400 }, { wait: "never" }]);
    bench.startProcess(plane.url, undefined, { PUMICE_MAX_RSS: "350" });
    await plane.finished(1);
    expect(bad.finish).toMatchObject({ error_type: "Infrastructure" });
    // It may be seen before it has all.
    expect(bad.finish?.error_msg).toMatch(
      /^the runner took [34]\d\d MB of memory with what it has started, was reckoned to take 60 MB/,
    );
    expect(messages(bad).slice(0, 3)).toEqual(["line-0", "line-1", "line-2"]);
    expect(bench.processesOf(1)).toEqual([]);
  });

  test("reckons with all that a guest may take, long before it has taken it", async () => {
    for (const id of [1, 2]) submitGuest(id, 256);
    bench.startProcess(plane.url, undefined, { PUMICE_MAX_RSS: "470" });
    // 102 MB are left: no guest's, but another job's.
    await plane.until(() => plane.syncs.some((sync) => sync.no_jobs !== undefined));
    const told = plane.syncs.find((sync) => sync.no_jobs !== undefined);
    expect(told?.runners).toHaveLength(1);
    expect(told?.no_jobs).toMatch(
      /^job 2 may need 328 MB of memory, and \d+ MB are left of the 470 MB .*, 1 running/,
    );
    bench.go(1, "on");
    await plane.finished(1);
    await plane.until(() => plane.job(2).lines.length === 10);
    bench.go(2, "on");
    expect((await plane.finished(2)).finish).toMatchObject({ result: "pass" });
  });

  test("lets no small job go before a large one that waits, unless that is canceled", async () => {
    for (const id of [1, 2]) submitGuest(id, 256);
    bench.startProcess(plane.url, undefined, { PUMICE_MAX_RSS: "470" });
    await plane.until(() => plane.syncs.some((sync) => sync.no_jobs !== undefined));
    const small = plane.submit(3, [{ log: 1 }]);
    const { length } = plane.syncs;
    await plane.until(() => plane.syncs.length > length);
    expect(small.state).toBe("Scheduled");
    plane.job(2).state = "Canceling";
    plane.changed();
    await plane.finished(3);
    expect(plane.job(1).state).toBe("Running");
    bench.go(1, "on");
    await plane.finished(1);
  });

  test("refuses a guest that could never fit, as the lab's fault, and starts nothing for it", async () => {
    const job = submitGuest(1, 512);
    bench.startProcess(plane.url, undefined, { PUMICE_MAX_RSS: "470" });
    await plane.finished(1);
    expect(job.finish).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(job.finish?.error_msg).toMatch(
      /^the job's guest may take 537 MB of memory .* may take 470 MB by --max-rss .*: give the guest less/,
    );
    expect(job.lines).toHaveLength(2);
    await plane.until(() => plane.syncs.at(-1)?.runners.length === 0);
    expect(plane.syncs.at(-1)?.no_jobs).toBeUndefined();
  });

  test("asks an adopted ticket, too, whether there is memory for it", async () => {
    const [first, second] = [submitGuest(1, 256), submitGuest(2, 256)];
    const agent = bench.startProcess(plane.url);
    await plane.until(() => [first, second].every(({ lines }) => lines.length === 10));
    await kill(agent);
    // As an agent leaves it that was killed between ticket and runner.
    for (const pid of bench.processesOf(2)) process.kill(pid, "SIGKILL");
    for (const name of ["runner.json", "log.jsonl"]) {
      rmSync(path.join(bench.workDir, "jobs/2", name), { force: true });
    }
    second.lines.length = 0;
    bench.startProcess(plane.url, undefined, { PUMICE_MAX_RSS: "470" });
    await plane.until(() => plane.syncs.at(-1)?.no_jobs?.startsWith("job 2 may need") === true);
    expect(bench.processesOf(2)).toEqual([]);
    for (const id of [1, 2]) bench.go(id, "on");
    await plane.finished(1);
    expect((await plane.finished(2)).finish).toMatchObject({ result: "pass" });
  });
});
