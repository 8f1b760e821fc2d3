import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { systemClock, type Clock } from "../../worker/agent/clock.ts";
import { AgentBench } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { FakeControlPlane, type FakeJob } from "../support/fake-control-plane.ts";
import { until } from "../support/real-lab.ts";
import type { Step } from "../support/stand-in-runner.ts";

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

const submit = (id: number, ...steps: Step[]): FakeJob => plane.submit(id, steps);

const messages = (job: FakeJob): unknown[] =>
  job.lines.map((line) => (JSON.parse(line) as { msg: unknown }).msg);

/** The stand-in's numbered lines followed by its final record, each once. */
const whole = (lines: number, final: object = { result: "pass" }): unknown[] => [
  ...Array.from({ length: lines }, (_, n) => `line-${n}`),
  expect.objectContaining({ definition: "lava", case: "job", ...final }),
];

/** Time that runs a thousand times faster than the wall's. */
function fastClock(): Clock {
  const start = systemClock.now();
  return {
    ...systemClock,
    random: () => 0.5,
    now: () => start + (systemClock.now() - start) * 1000,
    sleep: (ms, signal) => systemClock.sleep(Math.max(1, ms / 1000), signal),
  };
}

/** Time in which only short waits ever end by themselves. */
function impatientClock(): Clock {
  let now = 0;
  return {
    ...systemClock,
    random: () => 0.5,
    now: () => now,
    sleep: async (ms, signal) => {
      await systemClock.sleep(ms <= 100 ? ms : 2 ** 30, signal);
      now += ms <= 100 ? ms : 0;
    },
  };
}

describe("an agent", () => {
  test("runs a job, ships its log with its results, finishes it and removes its files", async () => {
    submit(1, { log: 3 }, { result: "smoke" });
    const agent = bench.start(plane.url);
    const job = await plane.finished(1);
    expect(messages(job).slice(0, 3)).toEqual(["line-0", "line-1", "line-2"]);
    expect(job.results).toEqual([
      {
        line: 3,
        dt: expect.any(String),
        msg: { definition: "0_x", case: "smoke", result: "pass" },
      },
      { line: 4, dt: expect.any(String), msg: expect.objectContaining({ case: "job" }) },
    ]);
    expect(job.finish).toEqual({ result: "pass", lines: 5 });
    await bench.untilJobs((names) => names.length === 0);
    expect(agent.log.join("\n")).toMatch(/job 1: starting on qemu-01[^]*job 1: finished \(pass\)/);
  });

  test("asks once and waits when there is nothing to do", async () => {
    bench.start(plane.url);
    await plane.until(() => plane.syncs.length === 2);
    const [first, second] = plane.syncs;
    expect(first?.seen).toBeUndefined();
    expect(second).toMatchObject({ wait_seconds: 50, runners: [] });
    submit(1, { log: 1 });
    await plane.finished(1);
    expect(plane.requests.filter((what) => what === "sync").length).toBeLessThan(8);
  });

  test("runs many jobs side by side", async () => {
    const ids = [1, 2, 3, 4];
    for (const id of ids) submit(id, { log: 10 }, { wait: "on" });
    bench.start(plane.url);
    await plane.until(() => ids.every((id) => plane.job(id).lines.length === 10));
    for (const id of ids) bench.go(id, "on");
    for (const id of ids) expect(messages(await plane.finished(id))).toEqual(whole(10));
  });

  test("begins no job on a device that another one still has", async () => {
    const first = submit(1, { log: 1 }, { wait: "on" });
    const agent = bench.start(plane.url);
    await plane.until(() => first.lines.length === 1);
    const second = submit(2, { log: 1 });
    second.device = "qemu-01";
    await until(() => agent.log.includes("job 2: waits until qemu-01 is free"));
    bench.go(1, "on");
    await plane.finished(1);
    expect(messages(await plane.finished(2))).toEqual(whole(1));
    const lines = agent.log.filter((line) => /^job [12]: (its runner|starting)/.test(line));
    expect(lines).toEqual([
      "job 1: starting on qemu-01",
      "job 1: its runner has ended",
      "job 2: starting on qemu-01",
      "job 2: its runner has ended",
    ]);
  });

  test("begins a job that was put off as soon as its device is free, be the control plane's answer the one it knows", async () => {
    const first = submit(1, { log: 1 }, { wait: "on" });
    const agent = bench.start(plane.url);
    await plane.until(() => first.lines.length === 1);
    const second = submit(2, { log: 1 });
    second.device = "qemu-01";
    for (const job of [first, second]) job.isWatched = false;
    await until(() => agent.log.includes("job 2: waits until qemu-01 is free"));
    // So that nothing but the device changes.
    plane.fault = ({ what, jobId }) =>
      what === "finish" && jobId === 1 && second.state === "Scheduled" ? "drop" : undefined;
    bench.go(1, "on");
    await plane.until(() => second.state !== "Scheduled");
    await plane.finished(1);
    await plane.finished(2);
  });

  test("begins jobs without a device, guests of other jobs, however many there are", async () => {
    const jobs = [submit(1, { log: 1 }, { wait: "on" }), submit(2, { log: 1 }, { wait: "on" })];
    for (const job of jobs) job.device = "";
    bench.start(plane.url);
    await plane.until(() => jobs.every(({ lines }) => lines.length === 1));
    for (const id of [1, 2]) bench.go(id, "on");
    for (const id of [1, 2]) expect(messages(await plane.finished(id))).toEqual(whole(1));
  });

  test("ships at once what somebody watches", async () => {
    const job = submit(1, { wait: "on" }, { log: 1 }, { wait: "off" });
    bench.start(plane.url, impatientClock());
    job.isWatched = false;
    await plane.until(() => job.state === "Running");
    job.isWatched = true;
    plane.changed();
    await bench.untilFile(1, "runner");
    bench.go(1, "on");
    await plane.until(() => job.lines.length === 1);
    bench.go(1, "off");
    expect(messages(await plane.finished(1))).toEqual(whole(1));
  });

  test("leaves its runners when it stops, and adopts them at the next start", async () => {
    const job = submit(1, { log: 5 }, { wait: "on" }, { log: 5 });
    const first = bench.start(plane.url);
    await plane.until(() => job.lines.length === 5);
    await first.stop();
    expect(bench.processesOf(1)).toHaveLength(1);
    const second = bench.start(plane.url);
    await plane.until(() => plane.requests.filter((what) => what === "log-tail 1").length === 1);
    bench.go(1, "on");
    expect(messages(await plane.finished(1))).toEqual(whole(10));
    expect(second.log[0]).toBe("job 1: adopted, running");
  });

  test("delivers a job that ended while no agent was there", async () => {
    const job = submit(1, { log: 5 }, { wait: "on" }, { log: 5 });
    const first = bench.start(plane.url);
    await plane.until(() => job.lines.length === 5);
    await first.stop();
    bench.go(1, "on");
    await bench.untilFile(1, "result");
    bench.start(plane.url);
    expect(messages(await plane.finished(1))).toEqual(whole(10));
  });

  test("refuses a work folder that another agent has", async () => {
    bench.start(plane.url);
    await plane.until(() => plane.syncs.length > 0);
    const other = bench.startProcess(plane.url);
    const [code] = await new Promise<[number]>((resolve) => {
      other.once("exit", (exitCode) => resolve([exitCode ?? -1]));
    });
    expect(code).toBe(1);
  });
});

describe("cancel", () => {
  test("ends a runner by SIGTERM, whose own last words are delivered", async () => {
    const job = submit(1, { log: 2 }, { wait: "never" });
    bench.start(plane.url);
    await plane.until(() => job.lines.length === 2);
    job.state = "Canceling";
    plane.changed();
    await plane.finished(1);
    expect(messages(job)).toEqual(
      whole(2, { error_type: "Canceled", error_msg: "stand-in canceled" }),
    );
    expect(job.finish).toMatchObject({ result: "fail", error_type: "Canceled" });
  });

  test("kills a runner that doesn't obey, and all that it started", async () => {
    const job = submit(1, { orphan: true }, { deaf: true }, { log: 1 }, { wait: "never" });
    bench.start(plane.url, fastClock());
    await plane.until(() => job.lines.length === 1);
    expect(bench.processesOf(1)).toHaveLength(2);
    job.state = "Canceling";
    plane.changed();
    await plane.finished(1);
    expect(bench.processesOf(1)).toEqual([]);
    expect(job.finish).toMatchObject({ result: "fail", error_type: "Canceled" });
    // It was asked before it was killed; a second request may come so soon that both are one signal.
    expect(messages(job)).toContain("deaf");
  });

  test("ends a job whose runner never began, without starting one", async () => {
    const job = submit(1, { log: 1 });
    const started = plane.submit(2, [{ log: 1 }, { wait: "on" }]);
    const first = bench.start(plane.url);
    await plane.until(() => started.lines.length === 1 && job.state === "Finished");
    await first.stop();
    const dir = jobDirectory(bench.workDir, 3);
    const { mkdirSync } = await import("node:fs");
    mkdirSync(dir.root);
    writeFileSync(dir.ticket, JSON.stringify({ job_id: 3, token: "token-3" }));
    const third = submit(3, { log: 1 });
    third.state = "Canceling";
    bench.start(plane.url);
    await plane.finished(3);
    expect(third.finish).toMatchObject({ result: "fail", error_type: "Canceled" });
    expect(existsSync(dir.runner)).toBe(false);
    bench.go(2, "on");
    await plane.finished(2);
  });

  test("stops a runner whose job the control plane has ended, and forgets it", async () => {
    const job = submit(1, { log: 1 }, { wait: "never" });
    bench.start(plane.url);
    await plane.until(() => job.lines.length === 1);
    job.state = "Finished";
    plane.changed();
    await bench.untilJobs((names) => names.length === 0);
    expect(bench.processesOf(1)).toEqual([]);
  });
});

test("a job that is to be forgotten while its files go is told of as gone: the control plane waits for that", async () => {
  const job = submit(1, { log: 1 }, { wait: "on" }, { result: "pass" });
  bench.start(plane.url);
  await plane.until(() => job.lines.length === 1);
  const pile = path.join(jobDirectory(bench.workDir, 1).root, "pile");
  mkdirSync(pile);
  // They take longer to remove than a few syncs.
  for (let n = 0; n < 2000; n++) writeFileSync(path.join(pile, String(n)), "");
  bench.go(1, "on");
  await plane.finished(1);
  await plane.until(() => plane.syncs.at(-1)?.runners.length === 0);
});

describe("a runner that dies", () => {
  test("has its half record cut off and its end told by the agent", async () => {
    const job = submit(
      1,
      { log: 3 },
      { print: "Segmentation fault" },
      { half: true },
      { die: true },
    );
    bench.start(plane.url);
    await plane.finished(1);
    const said = messages(job);
    expect(said.slice(0, 3)).toEqual(["line-0", "line-1", "line-2"]);
    expect(said[3]).toMatch(/ended by SIGKILL without a result[^]*Segmentation fault/);
    expect(said[4]).toMatchObject({ case: "job", result: "fail", error_type: "Infrastructure" });
    expect(said).toHaveLength(5);
    expect(job.finish).toMatchObject({ result: "fail", error_type: "Infrastructure", lines: 5 });
  });

  test("leaves no process behind", async () => {
    submit(1, { orphan: true }, { log: 1 }, { die: true });
    bench.start(plane.url);
    await plane.finished(1);
    expect(bench.processesOf(1)).toEqual([]);
  });

  test("between its final record and its result keeps that record as its end", async () => {
    const job = submit(1, { log: 2 }, { final: true }, { die: true });
    bench.start(plane.url);
    await plane.finished(1);
    expect(messages(job)).toEqual(whole(2));
    expect(job.finish).toEqual({ result: "pass", lines: 3 });
  });

  test("that could not even be started ends its job as a Bug", async () => {
    const job = submit(1, { log: 1 });
    bench.start(plane.url, systemClock, "/nonexistent/runtime");
    await plane.finished(1);
    expect(job.finish?.error_type).toBe("Bug");
    expect(job.finish?.error_msg).toContain("could not be started");
  });

  test("without any trace is reported as lost, once", async () => {
    const job = submit(1, { log: 1 });
    job.state = "Running";
    job.lines.push('{"msg": "earlier"}');
    // The first report of its end is lost: what follows must not write a second final record.
    const lost = new Set(["finish"]);
    plane.fault = ({ what }) => (lost.delete(what) ? { status: 503 } : undefined);
    bench.start(plane.url);
    await plane.finished(1);
    expect(messages(job)[0]).toBe("earlier");
    expect(messages(job)[1]).toMatch(/no trace of this job/);
    expect(messages(job)).toHaveLength(3);
    expect(job.finish).toMatchObject({ result: "fail", error_type: "Infrastructure", lines: 3 });
    expect(job.finish?.error_msg).toMatch(/nothing is known of its device, which may still be on/);
  });
});

describe("a control plane that fails", () => {
  test("may be killed and come back during a job", async () => {
    const job = submit(1, { log: 5 }, { wait: "on" }, { log: 5 });
    const agent = bench.start(plane.url, fastClock());
    await plane.until(() => job.lines.length === 5);
    await plane.stop();
    bench.go(1, "on");
    await bench.untilFile(1, "result");
    await until(() => agent.log.some((line) => line.includes("does not answer")));
    await plane.listen();
    expect(messages(await plane.finished(1))).toEqual(whole(10));
    await until(() => agent.log.some((line) => line.includes("answers again")));
  });

  test.each([
    ["drops connections", "drop"],
    ["loses answers", "lose"],
    ["answers with 500", { status: 500 }],
    ["throttles", { status: 429, headers: { "retry-after": "2" } }],
  ] as const)("and %s gets every record once", async (_, fault) => {
    const failures = new Map<string, number>();
    plane.fault = ({ what }) => {
      const count = (failures.get(what) ?? 0) + 1;
      failures.set(what, count);
      return count <= 3 ? fault : undefined;
    };
    const job = submit(1, { log: 50 }, { wait: "on" }, { log: 50 });
    bench.start(plane.url, fastClock());
    await plane.until(() => job.lines.length === 50);
    bench.go(1, "on");
    expect(messages(await plane.finished(1))).toEqual(whole(100));
    expect([...failures.keys()]).toEqual(
      expect.arrayContaining(["sync", "log-uploads", "put", "log-chunks", "finish"]),
    );
  });

  test("that knows better how far the log is, is believed", async () => {
    const job = submit(1, { log: 4 });
    const lie = [{ status: 409, body: { code: "conflict", message: "again", next_line: 0 } }];
    plane.fault = ({ what }) => (what === "finish" ? lie.pop() : undefined);
    bench.start(plane.url, fastClock());
    expect(messages(await plane.finished(1))).toEqual(whole(4));
    expect(job.finish?.lines).toBe(5);
  });

  test("and refuses one record gets a note in its place, and the rest", async () => {
    plane.fault = ({ what, body }) => {
      if (what !== "log-chunks") return undefined;
      const { results } = JSON.parse(body.toString()) as { results: { msg: { case: string } }[] };
      return results.some(({ msg }) => msg.case === "poison") ? { status: 400 } : undefined;
    };
    const job = submit(1, { log: 3 }, { result: "poison" }, { log: 3 });
    bench.start(plane.url, fastClock());
    await plane.finished(1);
    expect(messages(job)).toEqual([
      "line-0",
      "line-1",
      "line-2",
      expect.stringContaining("refused this record"),
      "line-4",
      "line-5",
      "line-6",
      expect.objectContaining({ case: "job" }),
    ]);
  });

  test("and refuses the token is asked on with the token of the file, while jobs go on", async () => {
    let isRevoked = false;
    plane.fault = ({ what }) => (isRevoked && what === "sync" ? { status: 401 } : undefined);
    const job = submit(1, { log: 1 }, { wait: "on" });
    const agent = bench.start(plane.url, fastClock());
    await plane.until(() => job.lines.length === 1);
    isRevoked = true;
    plane.submit(2, [{ log: 1 }]);
    bench.go(1, "on");
    await plane.finished(1);
    await until(() => agent.log.some((line) => line.includes("refuses this worker's token")));
    isRevoked = false;
    await plane.finished(2);
    expect(readFileSync(bench.tokenFile, "utf8")).toBe(plane.token);
  });
});
