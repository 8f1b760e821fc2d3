import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView, LogPage, WorkerView } from "#protocol/api.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { systemClock, type Clock } from "../../worker/agent/clock.ts";
import { AgentBench, type AgentHandle } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { cutWire, type CutWire } from "../support/cut-wire.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { until } from "../support/real-lab.ts";

let program: Awaited<ReturnType<typeof agentProgram>>;
let lab: Awaited<ReturnType<typeof listeningLab>>;
let wire: CutWire;
let bench: AgentBench;
let agent: AgentHandle;
beforeAll(async () => {
  program = await agentProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  // As they are unless somebody sets them.
  lab = await listeningLab({ workerSilentSeconds: 60, jobLeaseSeconds: 30 * 60 });
  wire = await cutWire(lab.url);
  bench = new AgentBench(program.file, await lab.addWorker());
  await lab.addDevice("qemu-01");
});
afterEach(async () => {
  await bench.close();
  await wire.close();
  await lab.close();
});

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

/** What the stand-in runner says: ten lines, and ten more once it is let go on. */
const whole = [
  ...Array.from({ length: 20 }, (_, n) => `line-${n}`),
  expect.objectContaining({ case: "job", result: "pass" }),
];

async function follow(id: number, lines = Infinity): Promise<unknown[]> {
  const records: LogPage["records"] = [];
  for (;;) {
    const page = await lab.api<LogPage>(`/jobs/${id}/log?start=${records.length}&wait=5`);
    records.push(...page.records);
    const isOver = page.complete && (await lab.job(id)).health !== "Incomplete";
    if (isOver || records.length >= lines) return records.map(({ msg }) => msg);
  }
}

const ended = (id: number, health: string): Promise<void> =>
  until(async () => (await lab.job(id)).health === health);
const logged = (text: string): Promise<void> =>
  until(() => agent.log.some((line) => line.includes(text)));

/** A job in the middle, of whose log ten lines have arrived. */
async function running(clock?: Clock): Promise<number> {
  agent = bench.start(wire.url, clock);
  const id = await lab.submit();
  await follow(id, 10);
  return id;
}

/** Lets the lab's time pass, with its tick each minute. */
async function passes(seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 60) {
    lab.pass(Math.min(60, left));
    await tick(lab.deps);
  }
}

describe("a network that is gone for a second", () => {
  test.each([
    ["cut", () => wire.cut()],
    ["held", async () => wire.hold()],
  ])("and was %s costs a job nothing: its log arrives whole and once", async (_, interrupt) => {
    const id = await running();
    await interrupt();
    bench.go(id, "on");
    await bench.untilFile(id, "result");
    await sleep(1000);
    await wire.mend();
    await ended(id, "Complete");
    expect(await follow(id)).toEqual(whole);
  });
});

describe("a network that is gone for a minute", () => {
  test("leaves the job running, which is Complete in the end", async () => {
    const id = await running(fastClock());
    await wire.cut();
    await logged("does not answer");
    await passes(60);
    expect(await lab.job(id)).toMatchObject({ state: "Running" });
    bench.go(id, "on");
    await bench.untilFile(id, "result");
    await wire.mend();
    await ended(id, "Complete");
    expect(await follow(id)).toEqual(whole);
  });
});

describe("a network that is gone for an hour", () => {
  test.each([
    ["that goes on afterwards", false],
    ["that ends meanwhile", true],
  ])(
    "is longer than a lease: but a job %s ends as it truly ends, with all its log",
    async (_, early) => {
      const id = await running(fastClock());
      await wire.cut();
      await logged("does not answer");
      await passes(3600);
      expect((await lab.api<WorkerView>("/workers/bench")).state).toBe("Offline");
      expect(await lab.job(id)).toMatchObject({
        state: "Finished",
        health: "Incomplete",
        error_type: "Infrastructure",
        error_msg: expect.stringMatching(/silent for more than 30 minutes/),
      });
      // Nobody knows what happens to it.
      expect((await lab.api<DeviceView>("/devices/qemu-01")).current_job).toBe(id);
      if (early) {
        bench.go(id, "on");
        await bench.untilFile(id, "result");
      }
      await wire.mend();
      await logged("answers again");
      if (!early) {
        expect(bench.processesOf(id)).toHaveLength(1);
        bench.go(id, "on");
      }
      await ended(id, "Complete");
      expect(await follow(id)).toEqual(whole);
      const job = await lab.job(id);
      expect([job.error_type, job.error_msg]).toEqual([undefined, undefined]);
      await until(
        async () => (await lab.api<DeviceView>("/devices/qemu-01")).current_job === undefined,
      );
    },
  );
});
