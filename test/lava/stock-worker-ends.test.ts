import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import type { EmbeddedLab } from "../support/embedded-lab.ts";
import { recorded } from "../support/recorded-calls.ts";
import {
  ask,
  begin,
  casesOf,
  device,
  end,
  ping,
  record,
  result,
  RETRIED,
  ship,
  stockWorkerLab,
  type Told,
} from "../support/stock-worker-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  ({ lab } = await stockWorkerLab());
});
afterEach(() => lab.close());

describe("the end of a stock worker's job", () => {
  test.each([
    ["pass", "", "Complete", undefined, "Good"],
    ["fail", "Test", "Incomplete", "Test", "Good"],
    ["fail", "Infrastructure", "Incomplete", "Infrastructure", "Unknown"],
    ["fail", "Sorcery", "Incomplete", "Bug", "Unknown"],
  ])("%s %s: %s", async (outcome, error_type, health, type, deviceHealth) => {
    const job = await begin();
    const last = { definition: "lava", case: "job", result: outcome, error_msg: "no luck" };
    await ship(job, [
      record(outcome === "pass" ? { ...last, error_msg: undefined } : last, "results"),
    ]);
    await end(job, { result: outcome, error_type, errors: "Traceback: x\n" });
    const after = await lab.job(job.id);
    expect(after).toMatchObject({ state: "Finished", health, notes: ["lava-run: Traceback: x"] });
    expect(after.error_type).toBe(type);
    expect(after.error_msg).toBe(outcome === "pass" ? undefined : "no luck");
    expect(await device()).toMatchObject({ state: "Idle", health: deviceHealth });
  });

  test("counts once", async () => {
    const job = await begin();
    await end(job);
    expect(await end(job, { result: "fail", error_type: "Bug" })).toEqual([200, {}]);
    expect(await lab.job(job.id)).toMatchObject({ health: "Complete" });
    expect((await device()).health).toBe("Good");
  });

  test("is Canceled for one that somebody canceled, and the device is as it was", async () => {
    const job = await begin();
    await ship(job, [record("one")]);
    await lab.api(`/jobs/${job.id}/cancel`, { method: "POST" });
    expect(await ping()).toEqual({ cancel: [job], running: [], start: [] });
    await end(job, { result: "fail", error_type: "Canceled" });
    expect(await lab.job(job.id)).toMatchObject({ health: "Canceled", error_type: "Canceled" });
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
  });

  test("comes without the worker for one that is canceled before it was fetched", async () => {
    await ping();
    const id = await lab.submit();
    const [job] = (await ping()).start;
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled" });
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
    expect((await ask(`/jobs/${id}/`, job!.token)).status).toBe(404);
  });
});

describe("a job that its stock worker has lost", () => {
  test("is given again as long as nothing was heard of it", async () => {
    const job = await begin();
    expect((await ask(`/jobs/${job.id}/`, job.token)).status).toBe(200);
    expect(await lab.job(job.id)).toMatchObject({ state: "Running" });
  });

  test("ends when the worker wants to begin it again, and its results stay as they were", async () => {
    const job = await begin();
    await ship(job, [result("first")]);
    expect((await ask(`/jobs/${job.id}/`, job.token)).status).toBe(404);
    expect(await lab.job(job.id)).toMatchObject({
      health: "Incomplete",
      error_type: "Infrastructure",
      error_msg: "worker bench has lost the job: it wanted to begin it again",
    });
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect(await casesOf(job.id)).toEqual(["first"]);
  });

  test("that may be retried begins again with a log of its own", async () => {
    const job = await begin(RETRIED);
    await ship(job, [result("first")]);
    await ask(`/jobs/${job.id}/`, job.token);
    await lab.settled();
    await lab.api("/devices/qemu-01/health", { body: { health: "Good" } });
    const [again] = (await ping()).start;
    expect(again).toMatchObject({ id: job.id });
    expect(again!.token).not.toBe(job.token);
    await ask(`/jobs/${job.id}/`, again!.token);
    await ship(again!, [result("second")]);
    expect(await ship(job, [result("late")], 1)).toEqual([200, { line_count: 1 }]);
    await end(again!);
    expect(await casesOf(job.id)).toEqual(["second"]);
    expect(await lab.job(job.id)).toMatchObject({ health: "Complete", attempt: 2 });
  });
});

describe("a stock worker that comes back after the lease of its job", () => {
  const silent = async () => {
    lab.pass(3600);
    await tick(lab.deps);
  };

  test("brings the job's true end", async () => {
    const job = await begin();
    await ship(job, [record("one")]);
    await silent();
    expect(await lab.job(job.id)).toMatchObject({ state: "Finished", health: "Incomplete" });
    expect((await device()).state).toBe("Running");
    expect(await ping()).toEqual({ cancel: [], running: [job], start: [] });
    await ship(job, [record("two")], 1);
    await end(job);
    expect(await lab.job(job.id)).toMatchObject({ health: "Complete", log_lines: 2 });
    expect((await device()).state).toBe("Idle");
  });

  test("gives the device back when it does not know the job any more", async () => {
    const job = await begin();
    await silent();
    expect((await ping()).running).toEqual([job]);
    expect((await ask(`/jobs/${job.id}/`, job.token)).status).toBe(404);
    expect((await device()).state).toBe("Idle");
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
  });

  test("is to stop what was canceled meanwhile", async () => {
    const job = await begin();
    await ship(job, [record("one")]);
    await lab.api(`/jobs/${job.id}/cancel`, { method: "POST" });
    await silent();
    expect(await ping()).toEqual({ cancel: [job], running: [], start: [] });
    await end(job, { result: "fail", error_type: "Canceled" });
    expect(await lab.job(job.id)).toMatchObject({ health: "Canceled" });
    expect((await device()).state).toBe("Idle");
  });

  test("is to stop the attempt that another one follows, by the token that it knows", async () => {
    const job = await begin(RETRIED);
    await silent();
    expect(await lab.job(job.id)).toMatchObject({ state: "Submitted", attempt: 2 });
    expect(await ping()).toEqual({ cancel: [job], running: [], start: [] });
    expect(await end(job, { result: "fail", error_type: "Canceled" })).toEqual([200, {}]);
    expect(await lab.job(job.id)).not.toHaveProperty("left");
    await lab.api("/devices/qemu-01/health", { body: { health: "Good" } });
    const [again] = (await ping()).start;
    expect(again).toMatchObject({ id: job.id });
    // An answer was lost: it says it once more.
    expect(await end(job, { result: "fail" })).toEqual([200, {}]);
    expect((await ping()).start).toHaveLength(1);
  });
});

describe("a health check", () => {
  beforeEach(async () => {
    await ping();
    await lab.api("/health-checks/qemu", { method: "PUT", body: aJob({ name: "check" }) });
    const dictionary = "{% extends 'qemu.jinja2' %}\n";
    await lab.addDevice("qemu-01", { dictionary, configuration: undefined });
  });
  /** What the worker is told to begin, which is the check of the device. */
  const given = async (): Promise<Told> => {
    const [job] = (await ping()).start;
    expect(await lab.job(job!.id)).toMatchObject({
      ...{ health_check: true, state: "Scheduled", submitter: "lava-health" },
    });
    expect((await ask(`/jobs/${job!.id}/`, job!.token)).status).toBe(200);
    await ask(`/jobs/${job!.id}/`, job!.token, { state: "RUNNING" });
    return job!;
  };

  test("is run by a stock worker before any other job, and its device is Good", async () => {
    const id = await lab.submit();
    const check = await given();
    await ship(check, [result("ok")]);
    await end(check);
    expect(await lab.job(check.id)).toMatchObject({ state: "Finished", health: "Complete" });
    expect(await device()).toMatchObject({ health: "Good", last_health_report_job: check.id });
    expect((await ping()).start.map((job) => job.id)).toEqual([id]);
    recorded("Stock workers", "health checks");
  });

  test("that fails on a stock worker makes its device Bad, and others wait", async () => {
    const id = await lab.submit();
    const check = await given();
    await end(check, { result: "fail", error_type: "Test" });
    expect(await device()).toMatchObject({ state: "Idle", health: "Bad" });
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect((await lab.job(id)).state).toBe("Submitted");
  });
});
