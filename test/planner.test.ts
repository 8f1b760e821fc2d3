import { describe, expect, test } from "vitest";
import type { PlannedStep } from "#protocol/plan.ts";
import { planInProcess } from "../control-plane/plan-process.ts";
import { planner } from "../control-plane/planner.ts";
import { planJob } from "../control-plane/domain/plan-job.ts";
import { readTicket } from "../worker/job-context.ts";
import { describePlan } from "../worker/pipeline/describe-plan.ts";
import { plan } from "../worker/run-ticket.ts";
import { aDeviceConfiguration, aJob } from "./support/builders.ts";
import { embeddedLab } from "./support/embedded-lab.ts";

const request = (definition = aJob()) => ({
  definition,
  device: aDeviceConfiguration(),
  device_hostname: "qemu-01",
  device_type: "qemu",
});

describe("the plan that the control plane shows", () => {
  test("is the one that the worker would run, with its strategies and time-outs", async () => {
    const { steps = [] } = await planner.plan(request());
    const ticket = { ...request(), job_id: 1, token: "", dispatcher: "", env_dut: "" };
    expect(lines(steps)).toEqual(describePlan(plan(readTicket(ticket, "/x"))).split("\n"));
    expect(steps.map(({ strategy }) => strategy)).toEqual([
      "deploy:tmpfs",
      "boot:qemu",
      "test:definition",
      "finalize",
    ]);
  });

  test("says why there is none", async () => {
    const none = await planner.plan(request(aJob().replace("method: qemu", "method: fastboot")));
    expect(none.problem).toContain("actions[1].boot can't be done on this device");
    const broken = await planner.plan({ ...request(), device: "actions: [" });
    expect(broken.problem).toContain("configuration of device qemu-01");
  });

  test("is not made of a job that is all blocks and definitions", async () => {
    const block = "- boot: {method: qemu, prompts: [x]}\n".repeat(2000);
    const { problem } = await planner.plan(request(aJob() + block));
    expect(problem).toBe("the job is too large for its plan to be made");
  });

  test("is given up when it takes too long, and the next one is made all the same", async () => {
    const long = aJob() + "- boot: {method: qemu, prompts: [x]}\n".repeat(200);
    const late = planInProcess(request(long), 0);
    const all = await Promise.all(Array.from({ length: 5 }, () => planInProcess(request())));
    expect((await late).problem).toBe("its plan takes too long to be made");
    expect(all.map(({ steps }) => steps?.length)).toEqual([4, 4, 4, 4, 4]);
  });

  test("that takes all memory ends nothing but the planner", async () => {
    // What is not ASCII is read in the way that takes much.
    const prompts = `- boot: {method: qemu, prompts: [${"x, ".repeat(300_000)}é]}\n`;
    const [{ problem }, next] = await Promise.all([
      planInProcess(request(aJob() + prompts), 60_000),
      planInProcess(request()),
    ]);
    expect(problem).toBe("its plan takes too much memory to be made");
    expect(next.steps?.length).toBe(4);
  });

  test("is refused at once when many are asked for", async () => {
    const all = await Promise.all(Array.from({ length: 25 }, () => planInProcess(request())));
    const refused = all.filter(({ problem }) => problem?.startsWith("too many plans"));
    expect(refused).toHaveLength(5);
    expect((await planInProcess(request())).steps?.length).toBe(4);
  });

  test("is that of the device as the lab has it", async () => {
    const lab = await embeddedLab();
    try {
      await lab.addWorker();
      const device = await lab.addDevice("qemu-01");
      const { steps } = await planJob(lab.deps, { definition: aJob(), device });
      expect(steps).toEqual((await planner.plan(request())).steps);
      const gone = await planJob(lab.deps, {
        definition: aJob(),
        device: { hostname: "none", device_type: "qemu" },
      });
      expect(gone.problem).toBe("device none has no configuration");
    } finally {
      await lab.close();
    }
  });
});

const lines = (steps: readonly PlannedStep[], depth = 0): string[] =>
  steps.flatMap(({ level, name, strategy, attempts, timeout_seconds, steps: inner = [] }) => [
    [
      `${level}\t${"  ".repeat(depth)}${name}`,
      ...(strategy ? [`[${strategy}]`] : []),
      ...(attempts ? [`retries=${attempts}`] : []),
      `${timeout_seconds}s`,
    ].join("  "),
    ...lines(inner, depth + 1),
  ]);
