import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobView, SubmitResponse } from "#protocol/api.ts";
import type { Queue } from "#protocol/queue.ts";
import { placeText } from "#protocol/waits-text.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let bench: string;
beforeEach(async () => {
  lab = await embeddedLab();
  bench = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const waits = async (id: number) => (await lab.job(id)).waits!;
const codes = async (id: number) =>
  (await waits(id)).reasons.map(({ code, devices }) => `${devices} ${code}`);
async function run(id: number, seconds: number): Promise<void> {
  const { start } = await lab.sync(bench);
  const { token } = start.find(({ job_id }) => job_id === id)!;
  await lab.sync(bench, [{ job_id: id, state: "running" }]);
  lab.pass(seconds);
  await lab.finish(id, token, { result: "pass", lines: 0 });
  await lab.sync(bench);
}
const health = (hostname: string, value: string) =>
  lab.api(`/devices/${hostname}/health`, { body: { health: value } });

describe("a job that waits says in a code why", () => {
  test("no device is free", async () => {
    await lab.sync(bench);
    await lab.submit();
    expect(await codes(await lab.submit())).toEqual(["1 busy"]);
  });

  test("no worker is Online", async () => {
    expect(await codes(await lab.submit())).toEqual(["1 worker offline"]);
  });

  test("the devices are in bad health, and so nothing can be said of when it begins", async () => {
    await lab.sync(bench);
    await health("qemu-01", "Bad");
    const id = await lab.submit();
    expect(await codes(id)).toEqual(["1 health"]);
    expect((await waits(id)).expected_start).toBeUndefined();
  });

  test("no device has its tag any more", async () => {
    await lab.addDevice("qemu-01", { tags: ["kvm"] });
    const id = await lab.submit(aJob({ lines: ["tags: [kvm]"] }));
    await lab.addDevice("qemu-01", { tags: [] });
    expect(await codes(id)).toEqual(["0 tags"]);
  });

  test("a device is reserved, another is in a maintenance window, and when it begins for those", async () => {
    await lab.sync(bench);
    await lab.addDevice("qemu-02");
    const { token } = await lab.addUser("alice");
    await lab.api("/reservations", { token, body: { device: "qemu-01", seconds: 3600 } });
    const window = {
      device: "qemu-02",
      from: "2026-03-01T11:00:00Z",
      to: "2026-03-01T12:30:00Z",
    };
    await lab.api("/windows/cables", { method: "PUT", body: window });
    const id = await lab.submit();
    expect(await codes(id)).toEqual(["1 reserved", "1 window"]);
    expect((await waits(id)).expected_start).toBe("2026-03-01T12:30:00.000Z");
  });

  test("its submitter's quota is used up, and then it has no place", async () => {
    const quotas = { default: { running: 1 } };
    await lab.api("/settings", { method: "PUT", body: { settings: { quotas } } });
    await lab.addDevice("qemu-02");
    await lab.sync(bench);
    await lab.submit();
    const id = await lab.submit();
    expect(await codes(id)).toEqual(["0 quota"]);
    expect(await waits(id)).toEqual({
      reasons: [
        {
          code: "quota",
          devices: 0,
          text: "kept back by a quota, user admin: 1 running job at a time",
        },
      ],
    });
  });

  test("the worker has as many jobs as it may", async () => {
    const worker = await lab.addWorker("narrow", 1);
    await lab.addDevice("n-01", { device_type: "board", worker: "narrow" });
    await lab.addDevice("n-02", { device_type: "board", worker: "narrow" });
    await lab.sync(worker);
    await lab.submit(aJob({ deviceType: "board" }));
    const id = await lab.submit(aJob({ deviceType: "board" }));
    expect((await codes(id)).toSorted()).toEqual(["1 busy", "1 worker limit"]);
  });
});

describe("a job that waits has a place", () => {
  test("by priority and submission; only those before it that want its devices count as ahead", async () => {
    await lab.addDevice("qemu-02", { tags: ["kvm"] });
    await lab.sync(bench);
    await lab.submit();
    await lab.submit();
    const kvm = await lab.submit(aJob({ lines: ["device: qemu-01"] }));
    const urgent = await lab.submit(aJob({ lines: ["priority: high"] }));
    const last = await lab.submit(aJob({ lines: ["tags: [kvm]"] }));
    expect(await waits(urgent)).toMatchObject({ position: 1, ahead: 0 });
    expect(await waits(kvm)).toMatchObject({ position: 2, ahead: 1 });
    expect(await waits(last)).toMatchObject({ position: 3, ahead: 1 });
  });

  test("of very many it is told that there are more", async () => {
    const { table } = lab.deps;
    const id = await lab.submit();
    const { data } = (await table.get<JobView>({ partition: `job#${id}`, sort: "job" }))!;
    const { jobItem } = await import("../../control-plane/domain/job-record.ts");
    for (let n = 0; n < 3; n++) {
      const jobs = Array.from({ length: 99 }, (_, i) => ({ ...data, id: 1000 + n * 99 + i }));
      await table.transact(jobs.map((job) => ({ put: jobItem(job as never) })));
    }
    lab.pass(1);
    const last = await lab.submit();
    expect(await waits(last)).toMatchObject({ position: 201, more: true });
    const queue = await lab.api<Queue>("/queue?device_type=qemu&limit=5");
    expect([queue.jobs.length, queue.waiting, queue.more]).toEqual([5, 200, true]);
  });
});

describe("when a job is expected to begin", () => {
  test("is what is left of the job before it, as jobs of its type usually take", async () => {
    await lab.sync(bench);
    for (let n = 0; n < 3; n++) await run(await lab.submit(), 300);
    const running = await lab.submit();
    await lab.sync(bench);
    await lab.sync(bench, [{ job_id: running, state: "running" }]);
    lab.pass(100);
    await lab.sync(bench, [{ job_id: running, state: "running" }]);
    const [next, afterNext] = [await lab.submit(), await lab.submit()];
    const now = lab.deps.system.now();
    const inSeconds = (time: string | undefined) => (Date.parse(time!) - now) / 1000;
    expect(await waits(next)).toMatchObject({ sure: "rough" });
    expect(inSeconds((await waits(next)).expected_start)).toBe(200);
    expect(inSeconds((await waits(afterNext)).expected_start)).toBe(500);
    lab.pass(300);
    await lab.sync(bench, [{ job_id: running, state: "running" }]);
    expect(Date.parse((await waits(next)).expected_start!)).toBe(lab.deps.system.now());
  });

  test("of a type of which no job has ended is a guess", async () => {
    await lab.sync(bench);
    await lab.submit();
    expect((await waits(await lab.submit())).sure).toBe("guess");
  });

  test("knows how long slow jobs take", async () => {
    await lab.sync(bench);
    for (let n = 0; n < 10; n++) await run(await lab.submit(), n === 9 ? 3000 : 60);
    await lab.submit();
    const { expected_start, expected_late, sure } = await waits(await lab.submit());
    expect(sure).toBe("good");
    expect(Date.parse(expected_late!) - Date.parse(expected_start!)).toBe((3000 - 60) * 1000);
  });
});

test("the queue of a type is told in its order, and shows nobody what they may not see", async () => {
  const { token } = await lab.addUser("alice");
  const own = await lab.submit();
  const { job_ids } = await lab.api<SubmitResponse>("/jobs", {
    body: aJob().replace("visibility: public", "visibility: personal"),
  });
  const urgent = await lab.submit(aJob({ lines: ["priority: 90"] }));
  const all = await lab.api<Queue>("/queue?device_type=qemu");
  expect(all.jobs.map(({ id, position }) => [id, position])).toEqual([
    [urgent, 1],
    [own, 2],
    [job_ids[0], 3],
  ]);
  expect(all.jobs[0]!.waits_for).toContain("worker bench, which is Offline");
  const hers = await lab.api<Queue>("/queue?device_type=qemu", { token });
  expect(hers.jobs.map(({ id }) => id)).toEqual([urgent, own]);
  expect(hers.waiting).toBe(3);
  expect((await lab.request("/queue?device_type=none")).status).toBe(404);
  expect((await lab.request("/queue")).status).toBe(400);
});

test.each([
  [{ position: 1 }, "next in the queue"],
  [{ position: 4, ahead: 2 }, "number 4 in the queue, 2 before it want the same devices"],
  [{ position: 201, ahead: 7, more: true as const }, "more than 200 jobs are before it"],
  [
    { position: 1, expected_start: "1970-01-01T00:05:00Z", expected_late: "1970-01-01T02:00:00Z" },
    "next in the queue; expected to begin in 5 min to 2 h, which is a guess",
  ],
  [
    {
      position: 1,
      expected_start: "1970-01-01T00:05:00Z",
      expected_late: "1970-01-01T00:05:01Z",
      sure: "good" as const,
    },
    "next in the queue; expected to begin in about 5 min",
  ],
  [{}, ""],
])("the place %j is said as: %s", (place, text) => {
  expect(placeText({ reasons: [], ...place }, 0)).toBe(text);
});
