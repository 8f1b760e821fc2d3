import { describe, expect, test } from "vitest";
import type { Action, RunContext } from "../../worker/pipeline/action.ts";
import type { Evidence } from "#protocol/failure.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { finishJob } from "../../worker/pipeline/run-job.ts";
import { slot } from "../../worker/pipeline/slot.ts";
import { aJobContext, run } from "../support/plan-of.ts";

const value = slot<number>("value");
const forever = (): Promise<void> => new Promise(() => {});
const fails = (type: JobFailure["type"], message = "no luck"): NonNullable<Action["run"]> => {
  return async () => {
    throw new JobFailure(type, message);
  };
};
const seconds = (actions: Record<string, number>) =>
  aJobContext({
    timeouts: {
      job: { minutes: 1 },
      actions: Object.fromEntries(Object.entries(actions).map(([k, s]) => [k, { seconds: s }])),
    },
  });

describe("a job that goes well", () => {
  test("runs its actions in order, passes values on, and ends with a pass", async () => {
    let seen = 0;
    const { outcome, messages, results } = await run({
      name: "block",
      steps: [
        { name: "give", gives: [value], run: async ({ slots }) => slots.put(value, 42) },
        {
          name: "take",
          needs: [value],
          run: async ({ slots, record }) => {
            seen = slots.take(value);
            record({ seen });
          },
        },
      ],
    });
    expect(seen).toBe(42);
    expect(outcome).toEqual({ result: "pass" });
    expect(messages).toContain("start: 1 block (timeout 00:00:30) [common]");
    expect(messages).toContain("start: 1.2 take (timeout 00:00:30) [common]");
    expect(
      messages.some((text) => /^end: 1\.2 take \(duration 00:00:00\) \[common\]$/.test(text)),
    ).toBe(true);
    expect(results).toMatchObject([
      { definition: "lava", case: "validate", result: "pass" },
      {
        definition: "lava",
        namespace: "common",
        case: "take",
        level: "1.2",
        result: "pass",
        extra: { seen: 42 },
      },
      { definition: "lava", case: "job", result: "pass" },
    ]);
    expect(results[1]?.["duration"]).toMatch(/^\d+\.\d\d$/);
  });

  test("gives everything back in reverse order, after finalize", async () => {
    const order: string[] = [];
    const acquire = (name: string): Action => ({
      name,
      run: async ({ defer }) => defer(async () => void order.push(name)),
    });
    await run(
      { name: "block", steps: [acquire("first"), acquire("second")] },
      { finalize: { name: "finalize", run: async () => void order.push("finalize") } },
    );
    expect(order).toEqual(["finalize", "second", "first"]);
  });
});

describe("a job that fails", () => {
  test("leaves a record at every level up to the top, and names the fault", async () => {
    const { outcome, results } = await run({
      name: "block",
      steps: [{ name: "middle", steps: [{ name: "leaf", run: fails("Infrastructure", "dead") }] }],
    });
    expect(outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(outcome.error_msg).toBe("dead");
    expect(
      results.slice(1, -1).map((record) => [record["case"], record["level"], record["extra"]]),
    ).toEqual([
      ["leaf", "1.1.1", { fail: "dead" }],
      ["middle", "1.1", { fail: "dead" }],
      ["block", "1", { fail: "dead" }],
    ]);
    expect(results.at(-1)).toEqual({
      definition: "lava",
      case: "job",
      result: "fail",
      error_msg: "dead",
      error_type: "Infrastructure",
      evidence: outcome.evidence,
    });
  });

  test("shows the line that stands last in what failed, unless it knows a better one", async () => {
    const says = (evidence?: Evidence): Action => ({
      name: "block",
      steps: [
        {
          name: "leaf",
          run: async ({ log }) => {
            log.info("the cable is loose");
            throw new JobFailure("Infrastructure", "dead", evidence ? { evidence } : {});
          },
        },
      ],
    });
    const plain = await run(says());
    expect(plain.records[plain.outcome.evidence?.line ?? -1]?.msg).toBe("the cable is loose");
    const exact = await run(says({ pattern: "loose", line: 1 }));
    expect(exact.outcome.evidence).toEqual({ pattern: "loose", line: 1 });
    expect(exact.results.at(-1)).toMatchObject({ case: "job", evidence: { pattern: "loose" } });
  });

  test("shows no secret of the job", async () => {
    const records: string[] = [];
    const recorder = makeRecorder({
      sink: (line) => void records.push(line),
      secrets: ["hunter2"],
    });
    const evidence = { pattern: "password: hunter2" };
    const { evidence: shown } = finishJob(
      recorder,
      new JobFailure("Job", "no prompt", { evidence }),
    );
    expect(shown).toEqual({ pattern: "password: [MASKED]" });
    expect(records.join()).not.toContain("hunter2");
  });

  test("by an error nobody planned is a Bug, and shows where it came from", async () => {
    const { outcome, records } = await run({
      name: "block",
      retries: true,
      run: async () => {
        throw new TypeError("x is not a function");
      },
    });
    expect(outcome).toMatchObject({ error_type: "Bug", error_msg: "x is not a function" });
    expect(
      records.some(({ lvl, msg }) => lvl === "exception" && String(msg).includes("run-job.test")),
    ).toBe(true);
  });

  test("in validation touches nothing: no action, no finalize, and every problem is told", async () => {
    const touched: string[] = [];
    const wrong = (name: string): Action => ({
      name,
      validate: async () => {
        throw new JobFailure("Job", `${name} is wrong`);
      },
      run: async () => void touched.push(name),
    });
    const { outcome } = await run(
      { name: "block", steps: [wrong("a"), wrong("b")] },
      { finalize: { name: "finalize", run: async () => void touched.push("finalize") } },
    );
    expect(touched).toEqual([]);
    expect(outcome.error_msg).toBe('Invalid job data: ["1.1 a: a is wrong","1.2 b: b is wrong"]');
  });

  test("when an action needs what none before it gives is found before anything runs", async () => {
    const { outcome } = await run({ name: "block", needs: [value] });
    expect(outcome).toMatchObject({
      error_type: "Job",
      error_msg: "1 block needs value, which no earlier action gives",
    });
  });

  test("to clean up is the lab's fault, whatever the job found", async () => {
    const { outcome, messages } = await run({
      name: "block",
      run: async ({ defer }) => defer(async () => Promise.reject(new Error("still mounted"))),
    });
    expect(outcome).toMatchObject({
      error_type: "Infrastructure",
      error_msg: "Failed to clean after job",
    });
    expect(messages).toContain("Failed to clean after action 'block': still mounted");
  });
});

describe("time-outs", () => {
  test("end an action that ignores them, and blame the innermost", async () => {
    const job = seconds({ block: 1, leaf: 1 });
    const { outcome } = await run(
      { name: "block", steps: [{ name: "leaf", onTimeout: "Infrastructure", run: forever }] },
      { job },
    );
    expect(outcome).toMatchObject({
      error_type: "Infrastructure",
      error_msg: "leaf timed out after 1 seconds",
    });
  });

  test("of the job end it as the job's fault", async () => {
    const job = aJobContext({ timeouts: { job: { seconds: 1 } } });
    const { outcome } = await run({ name: "block", run: forever }, { job });
    expect(outcome).toMatchObject({
      error_type: "Job",
      error_msg: "job timed out after 1 seconds",
    });
  });

  test("of a test fail the block only, when the job says so", async () => {
    const block = { method: "qemu", timeout: { seconds: 1, skip: true } };
    const job = aJobContext({ actions: [{ boot: block }] });
    // `skip` counts for test blocks; the stand-in strategy's block is a boot block.
    const { outcome } = await run(
      { name: "block", onTimeout: "LAVATimeout", run: forever },
      { job },
    );
    expect(outcome.error_type).toBe("Test");
    expect(outcome.error_msg).toMatch(/^block timed out after \d seconds$/);
  });
});

describe("retries", () => {
  const job = aJobContext({
    actions: [{ boot: { method: "qemu", failure_retry: 3, failure_retry_interval: 0 } }],
  });
  const flaky = (failures: number, type: JobFailure["type"] = "Job"): [Action, () => number] => {
    let n = 0;
    const leaf: Action = {
      name: "leaf",
      run: async ({ defer, log }: RunContext) => {
        n += 1;
        defer(async () => log.info(`released ${n}`));
        if (n <= failures) throw new JobFailure(type, `failure ${n}`);
      },
    };
    return [{ name: "block", retries: true, steps: [leaf] }, () => n];
  };

  const report: Action = {
    name: "report",
    run: async ({ log }) => log.result({ definition: "0_smoke", case: "boots", result: "pass" }),
  };
  const reporting = ({ steps = [], ...block }: Action): Action => ({
    ...block,
    steps: [report, ...steps],
  });

  test("try again after giving back what the failed attempt had taken", async () => {
    const [block, count] = flaky(1);
    const { outcome, messages } = await run(block, { job });
    expect(outcome.result).toBe("pass");
    expect(count()).toBe(2);
    expect(messages).toContain("block failed: 1 of 3 attempts. 'failure 1'");
    expect(messages).toContain("Retrying: 1 block (timeout 00:00:30)");
    expect(messages.indexOf("released 1")).toBeLessThan(
      messages.indexOf("Retrying: 1 block (timeout 00:00:30)"),
    );
  });

  test("tell a failed attempt's records from those of the one that passed", async () => {
    const [block] = flaky(1);
    const { outcome, results, records } = await run(reporting(block), { job });
    expect(results.filter((record) => record["definition"] === "0_smoke")).toEqual([
      { definition: "0_smoke", case: "boots", result: "pass", attempt: "1 of 3" },
      { definition: "0_smoke", case: "boots", result: "pass", attempt: "2 of 3" },
    ]);
    const failed = results.find((record) => record["case"] === "leaf");
    expect(failed).toMatchObject({ result: "fail", attempt: "1 of 3", retried: true });
    expect(records[Number(failed?.["attempt_start"])]?.msg).toMatch(/^start: 1\.1 report /);
    const passed_on_retry = [{ action: "block", level: "1", attempt: 2, of: 3 }];
    expect(outcome).toEqual({ result: "pass", retries: 1, passed_on_retry });
    expect(results.at(-1)).toEqual({ definition: "lava", case: "job", ...outcome });
  });

  test("inside of one another are told apart, and the outermost that begins anew is named", async () => {
    const [inner] = flaky(4);
    const { outcome, results, records } = await run(
      { name: "outer", retries: true, steps: [reporting(inner)] },
      { job },
    );
    const attempts = results.filter((record) => record["definition"] === "0_smoke");
    expect(attempts.map((record) => record["attempt"])).toEqual([
      "1 of 3, 1 of 3",
      "1 of 3, 2 of 3",
      "1 of 3, 3 of 3",
      "2 of 3, 1 of 3",
      "2 of 3, 2 of 3",
    ]);
    const failed = results.filter((record) => record["case"] === "leaf");
    expect(failed.map((record) => record["retried"])).toEqual([true, true, true, true]);
    // The inner wrapper has no attempt left: all that the outer one did until now was in vain.
    expect(records[Number(failed[2]?.["attempt_start"])]?.msg).toMatch(/^start: 1\.1 block /);
    expect(outcome).toMatchObject({
      retries: 4,
      passed_on_retry: [
        { action: "block", attempt: 2 },
        { action: "outer", attempt: 2 },
      ],
    });
  });

  test("by a wrapper whose own work failed have a record, too", async () => {
    let n = 0;
    const { results } = await run(
      {
        name: "block",
        retries: true,
        steps: [report],
        runAfter: async () => {
          if (++n === 1) throw new JobFailure("Infrastructure", "no answer");
        },
      },
      { job },
    );
    expect(results.filter((record) => record["case"] === "block")).toEqual([
      expect.objectContaining({
        level: "1",
        result: "fail",
        attempt: "1 of 3",
        retried: true,
        extra: { fail: "no answer" },
      }),
    ]);
  });

  test("that come to an end mark nothing as tried again", async () => {
    const [block] = flaky(9);
    const { outcome, results } = await run(block, { job });
    const failed = results.filter((record) => record["case"] === "leaf");
    expect(failed.map((record) => record["retried"])).toEqual([true, true, undefined]);
    expect(outcome).toMatchObject({ result: "fail", retries: 2 });
    expect(outcome).not.toHaveProperty("passed_on_retry");
  });

  test("fail with the last failure when all attempts did", async () => {
    const [block, count] = flaky(9);
    const { outcome } = await run(block, { job });
    expect(count()).toBe(3);
    expect(outcome.error_msg).toBe("failure 3");
  });

  test.each(["Bug", "Configuration", "Canceled"] as const)(
    "are not made after a %s",
    async (type) => {
      const [block, count] = flaky(9, type);
      await run(block, { job });
      expect(count()).toBe(1);
    },
  );

  test("are not begun when there is no time left for them", async () => {
    const short = aJobContext({
      actions: [{ boot: { method: "qemu", failure_retry: 3, failure_retry_interval: 60 } }],
    });
    const [block, count] = flaky(9);
    const { outcome } = await run(block, { job: short });
    expect(count()).toBe(1);
    expect(outcome.error_msg).toContain("No time left for remaining 2 retries.");
  });

  test("of a repeat run all of them, and one failure fails the action", async () => {
    const [block, count] = flaky(1);
    const repeated = aJobContext({ actions: [{ boot: { method: "qemu", repeat: 3 } }] });
    const { outcome } = await run(block, { job: repeated });
    expect(count()).toBe(3);
    expect(outcome.error_msg).toBe("1 retries out of 3 failed for block");
  });
});

describe("a cancel", () => {
  test("ends the action at once, and still finalizes and cleans up", async () => {
    const done: string[] = [];
    const cancel = new AbortController();
    const { outcome, results } = await run(
      {
        name: "block",
        retries: true,
        run: async ({ defer }) => {
          defer(async () => void done.push("released"));
          cancel.abort(new JobFailure("Canceled", "The job was canceled"));
          await forever();
        },
      },
      {
        signals: { cancel: cancel.signal, cancelAgain: new AbortController().signal },
        finalize: { name: "finalize", run: async () => void done.push("power-off") },
      },
    );
    expect(done).toEqual(["power-off", "released"]);
    expect(outcome).toMatchObject({ error_type: "Canceled", error_msg: "The job was canceled" });
    expect(results.at(-1)).toMatchObject({ case: "job", result: "fail", error_type: "Canceled" });
  });
});
