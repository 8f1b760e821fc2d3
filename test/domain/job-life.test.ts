import { definitionBlob } from "../../control-plane/domain/blob-names.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView } from "#protocol/api.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const device = (hostname = "qemu-01") => lab.api<DeviceView>(`/devices/${hostname}`);
const running = (job_id: number) => ({ job_id, state: "running" as const });
const finished = (job_id: number) => ({ job_id, state: "finished" as const });

async function startJob(definition?: string): Promise<{ id: number; token: string }> {
  await lab.sync(worker);
  const id = await lab.submit(definition);
  const { start } = await lab.sync(worker);
  const token = start.find((ticket) => ticket.job_id === id)!.token;
  await lab.sync(worker, [running(id)]);
  return { id, token };
}

describe("a job that passes", () => {
  test("goes from Submitted over Scheduled and Running to Finished, Complete", async () => {
    const id = await lab.submit(aJob({ name: "smoke" }));
    expect(await lab.job(id)).toMatchObject({ state: "Submitted", health: "Unknown" });

    const { start } = await lab.sync(worker);
    expect(start).toEqual([]);
    const second = await lab.sync(worker);
    expect(second.start).toMatchObject([
      { job_id: id, device_hostname: "qemu-01", device_type: "qemu", definition: aJob() },
    ]);
    expect(await lab.job(id)).toMatchObject({ state: "Scheduled", device: "qemu-01" });
    expect(await device()).toMatchObject({ state: "Reserved", current_job: id });

    lab.pass(3);
    await lab.sync(worker, [running(id)]);
    expect(await lab.job(id)).toMatchObject({
      state: "Running",
      start_time: "2026-03-01T12:00:03.000Z",
    });
    expect((await device()).state).toBe("Running");

    lab.pass(60);
    const token = second.start[0]!.token;
    await lab.ship(id, token, 0, [{ lvl: "info", msg: "hello" }]);
    const done = await lab.finish(id, token, { result: "pass", lines: 1 });
    expect(done.status).toBe(200);
    expect(await lab.job(id)).toMatchObject({
      state: "Finished",
      health: "Complete",
      end_time: "2026-03-01T12:01:03.000Z",
      log_lines: 1,
    });
    const idle = await device();
    expect(idle).toMatchObject({ state: "Idle", health: "Good" });
    expect(idle.current_job).toBeUndefined();
  });

  test("hands out the same ticket until its runner is reported", async () => {
    const id = await lab.submit();
    await lab.sync(worker);
    const [first, again] = [await lab.sync(worker), await lab.sync(worker)];
    expect(first.start).toHaveLength(1);
    expect(again).toEqual(first);
    expect((await lab.sync(worker, [running(id)])).start).toEqual([]);
  });

  test("ends even when its runner was done before anybody heard that it started", async () => {
    const id = await lab.submit();
    await lab.sync(worker);
    const { start } = await lab.sync(worker);
    await lab.finish(id, start[0]!.token, { result: "pass", lines: 0 });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Complete" });
    expect((await lab.sync(worker, [finished(id)])).forget).toEqual([id]);
  });
});

describe("finishing", () => {
  test("waits for the whole log", async () => {
    const { id, token } = await startJob();
    await lab.ship(id, token, 0, [{ lvl: "info", msg: "one" }]);
    const refused = await lab.finish(id, token, { result: "pass", lines: 2 });
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({ code: "conflict", next_line: 1 });
    expect((await lab.job(id)).state).toBe("Running");
  });

  test("a second time is harmless, even after the device has another job", async () => {
    const { id, token } = await startJob();
    const next = await lab.submit();
    expect((await lab.finish(id, token, { result: "pass", lines: 0 })).status).toBe(200);
    expect((await device()).current_job).toBe(next);
    const again = await lab.finish(id, token, {
      result: "fail",
      error_type: "Bug",
      lines: 0,
    });
    expect(again.status).toBe(200);
    expect(await lab.job(id)).toMatchObject({ health: "Complete" });
    expect((await device()).current_job).toBe(next);
  });

  test.each(["Infrastructure", "Configuration", "Bug"] as const)(
    "with %s makes the device's health Unknown, since the lab is at fault",
    async (error_type) => {
      const { id, token } = await startJob();
      await lab.finish(id, token, { result: "fail", error_type, error_msg: "no power", lines: 0 });
      expect(await lab.job(id)).toMatchObject({
        health: "Incomplete",
        error_type,
        error_msg: "no power",
      });
      expect(await device()).toMatchObject({ state: "Idle", health: "Unknown" });
    },
  );

  test.each(["Job", "Test", "LAVATimeout"] as const)(
    "with %s leaves the device's health alone",
    async (error_type) => {
      const { id, token } = await startJob();
      await lab.finish(id, token, { result: "fail", error_type, lines: 0 });
      expect((await lab.job(id)).health).toBe("Incomplete");
      expect((await device()).health).toBe("Good");
    },
  );

  test("with a pass wins no Complete when the job was being canceled", async () => {
    const { id, token } = await startJob();
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    await lab.finish(id, token, { result: "pass", lines: 0 });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled" });
  });

  test("closes the log: the job's token is good for nothing new", async () => {
    const { id, token } = await startJob();
    await lab.finish(id, token, { result: "pass", lines: 0 });
    await expect(lab.ship(id, token, 0, [{ lvl: "info", msg: "late" }])).rejects.toThrow(/410/);
  });
});

describe("canceling", () => {
  test("a job in the queue ends it at once", async () => {
    const id = await lab.submit();
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled" });
    await lab.sync(worker);
    expect((await lab.sync(worker)).start).toEqual([]);
  });

  test("a Scheduled job that no runner has ends it with the worker's next sync", async () => {
    const id = await lab.submit();
    await lab.sync(worker);
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    expect((await lab.job(id)).state).toBe("Canceling");
    await lab.sync(worker);
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled" });
    expect((await device()).state).toBe("Idle");
  });

  test("a Running job tells its worker to stop it, until it has", async () => {
    const { id, token } = await startJob();
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    expect((await lab.sync(worker, [running(id)])).cancel).toEqual([id]);
    expect((await lab.sync(worker, [running(id)])).cancel).toEqual([id]);
    expect((await lab.sync(worker, [finished(id)])).cancel).toEqual([]);
    await lab.finish(id, token, { result: "fail", error_type: "Canceled", lines: 0 });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled" });
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
  });

  test("again, or when the job has ended, does nothing", async () => {
    const { id, token } = await startJob();
    await lab.finish(id, token, { result: "pass", lines: 0 });
    const answer = await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    expect(answer).toMatchObject({ state: "Finished", health: "Complete" });
  });

  test("is for the submitter and for administrators", async () => {
    const [alice, bob] = [await lab.addUser("alice"), await lab.addUser("bob")];
    const { job_ids } = await lab.api<{ job_ids: number[] }>("/jobs", {
      token: alice.token,
      body: aJob(),
    });
    const cancel = (token: string) =>
      lab.request(`/jobs/${job_ids[0]}/cancel`, { method: "POST", token });
    expect((await cancel(bob.token)).status).toBe(403);
    expect((await cancel(alice.token)).status).toBe(200);
  });
});

describe("runners and jobs that do not match", () => {
  test("a Running job without a runner is lost: its token comes with that, and its ticket, to switch its device off", async () => {
    const { id, token } = await startJob();
    const { lost } = await lab.sync(worker);
    expect(lost).toMatchObject([{ job_id: id, token, ticket: { job_id: id, token } }]);
    await lab.finish(id, token, { result: "fail", error_type: "Bug", lines: 0 });
    expect(await lab.job(id)).toMatchObject({ health: "Incomplete", error_type: "Bug" });
    expect((await lab.sync(worker)).lost).toEqual([]);
  });

  test("a runner of a job that ended or never was is stopped, then forgotten", async () => {
    const answer = await lab.sync(worker, [running(700), finished(701)]);
    expect(answer).toMatchObject({ cancel: [700], forget: [701] });
  });

  test("a worker is not told of another worker's jobs", async () => {
    const { id } = await startJob();
    const other = await lab.addWorker("other");
    expect(await lab.sync(other)).toMatchObject({ start: [], lost: [] });
    expect((await lab.sync(other, [running(id)])).cancel).toEqual([id]);
    expect((await lab.job(id)).state).toBe("Running");
  });

  test("a job whose definition is gone ends as the lab's fault and blocks nobody", async () => {
    const id = await lab.submit();
    const second = await lab.submit();
    await lab.sync(worker);
    await lab.deps.blobs.remove(definitionBlob(id));
    expect((await lab.sync(worker)).start).toEqual([]);
    expect(await lab.job(id)).toMatchObject({ state: "Finished", error_type: "Infrastructure" });
    expect((await lab.sync(worker)).start).toMatchObject([{ job_id: second }]);
  });
});
