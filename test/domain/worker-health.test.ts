import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView, WorkerView } from "#protocol/api.ts";
import type { History } from "#protocol/history.ts";
import type { DeviceHealth, WorkerHealth } from "#protocol/states.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
});
afterEach(() => lab.close());

async function setHealth(health: WorkerHealth, reason?: string): Promise<WorkerView> {
  const view = await lab.api<WorkerView>("/workers/bench/health", { body: { health, reason } });
  await lab.settled();
  return view;
}
const healthOf = async (hostname: string): Promise<DeviceHealth> =>
  (await lab.api<DeviceView>(`/devices/${hostname}`)).health;

describe("a worker in Maintenance", () => {
  test("lets its jobs end and begins no others, whatever its devices", async () => {
    await lab.addDevice("qemu-01");
    await lab.addDevice("qemu-02");
    const running = await lab.submit();
    await lab.sync(worker);
    const [ticket] = (await lab.sync(worker)).start;
    expect(await setHealth("Maintenance", "new power supply")).toMatchObject({
      health: "Maintenance",
    });
    const waiting = await lab.submit();
    expect(await healthOf("qemu-01")).toBe("Good");
    await lab.sync(worker, [{ job_id: running, state: "running" }]);
    await lab.finish(running, ticket!.token, { result: "pass", lines: 0 });
    expect((await lab.job(running)).health).toBe("Complete");
    expect(await lab.job(waiting)).toMatchObject({
      state: "Submitted",
      waits_for: "of 2 fitting devices: 2 on worker bench, which is in Maintenance",
    });
  });

  test("that is Active again has devices that have to show that they are Good", async () => {
    for (const health of ["Good", "Bad", "Maintenance", "Looping"] as const) {
      await lab.addDevice(`in-${health}`, { health });
    }
    await setHealth("Maintenance");
    await setHealth("Active");
    expect(await healthOf("in-Good")).toBe("Unknown");
    for (const health of ["Bad", "Maintenance", "Looping"] as const) {
      expect(await healthOf(`in-${health}`)).toBe(health);
    }
  });
});

describe("a Retired worker", () => {
  test("has Retired devices, but for those that are Bad", async () => {
    for (const health of ["Good", "Unknown", "Bad", "Maintenance", "Looping"] as const) {
      await lab.addDevice(`in-${health}`, { health });
    }
    await setHealth("Retired", "sold");
    expect(await healthOf("in-Bad")).toBe("Bad");
    for (const health of ["Good", "Unknown", "Maintenance", "Looping"] as const) {
      expect(await healthOf(`in-${health}`)).toBe("Retired");
    }
  });

  test("that is Active again brings none of them back by itself", async () => {
    await lab.addDevice("dut");
    await setHealth("Retired");
    await setHealth("Active");
    expect(await healthOf("dut")).toBe("Retired");
  });
});

describe("a job that waits", () => {
  test("is given another priority by its submitter and by administrators, and takes its new place", async () => {
    await lab.addDevice("dut", { health: "Maintenance" });
    await lab.sync(worker);
    const alice = await lab.addUser("alice");
    const bob = await lab.addUser("bob");
    const { token } = alice;
    const [first, second] = [await lab.submit(), await lab.submit()];
    const body = { priority: 70 };
    const own = await lab.api<{ job_ids: number[] }>("/jobs", { token, body: aJob() });
    const id = own.job_ids[0]!;
    const change = (by: string) => lab.request(`/jobs/${id}`, { method: "PATCH", token: by, body });
    expect((await change(bob.token)).status).toBe(403);
    expect(await (await change(token)).json()).toMatchObject({ id, priority: 70 });
    await lab.api(`/jobs/${second}`, { method: "PATCH", body: { priority: "high" } });
    await lab.api("/devices/dut/health", { body: { health: "Good" } });
    await lab.settled();
    const states = await Promise.all([first, second, id].map((one) => lab.job(one)));
    expect(states.map(({ state }) => state)).toEqual(["Submitted", "Scheduled", "Submitted"]);
    const [ticket] = (await lab.sync(worker)).start;
    await lab.finish(second, ticket!.token, { result: "pass", lines: 0 });
    expect((await lab.job(id)).state).toBe("Scheduled");
  });

  test("is given none once it has a device, and none beyond 0 to 100", async () => {
    await lab.addDevice("dut");
    await lab.sync(worker);
    const id = await lab.submit();
    const patch = (priority: unknown) =>
      lab.request(`/jobs/${id}`, { method: "PATCH", body: { priority } });
    expect((await patch(70)).status).toBe(409);
    for (const wrong of [-1, 101, 1.5, "urgent"]) expect((await patch(wrong)).status).toBe(400);
  });
});

describe("a job that is Canceling and does not end", () => {
  const fail = (id: number, token = lab.adminToken) =>
    lab.request(`/jobs/${id}/fail`, { token, body: { reason: "stuck" } });

  test("is ended by an administrator; its device stays until an Online worker lets go of it", async () => {
    await lab.addDevice("dut");
    await lab.sync(worker);
    const id = await lab.submit();
    const { start } = await lab.sync(worker);
    await lab.sync(worker, [{ job_id: id, state: "running" }]);
    expect((await fail(id)).status).toBe(409);
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    expect((await fail(id, (await lab.addUser("alice")).token)).status).toBe(403);
    expect(await (await fail(id)).json()).toMatchObject({ state: "Finished", health: "Canceled" });
    expect((await lab.api<DeviceView>("/devices/dut")).current_job).toBe(id);
    expect((await lab.sync(worker, [{ job_id: id, state: "running" }])).cancel).toEqual([id]);
    await lab.sync(worker);
    expect(await lab.api("/devices/dut")).toMatchObject({ state: "Idle", health: "Good" });
    expect(start).toHaveLength(1);
  });

  test("frees its device at once when its worker is Offline: Unknown, as nobody switched it off", async () => {
    await lab.addDevice("dut");
    await lab.sync(worker);
    const id = await lab.submit();
    await lab.sync(worker);
    await lab.sync(worker, [{ job_id: id, state: "running" }]);
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    lab.pass(120);
    const { tick } = await import("../../control-plane/domain/tick.ts");
    await tick(lab.deps);
    expect((await fail(id)).status).toBe(200);
    expect(await lab.api("/devices/dut")).toMatchObject({ state: "Idle", health: "Unknown" });
  });
});

describe("a history", () => {
  test("tells of each change who made it, when and why, newest first and by pages", async () => {
    await lab.addDevice("dut");
    await lab.sync(worker);
    const id = await lab.submit();
    await lab.api("/devices/dut/health", { body: { health: "Maintenance", reason: "new cable" } });
    const { changes } = await lab.api<History>("/devices/dut/history");
    const ofStates = changes.filter(({ changed }) => changed["state"] ?? changed["health"]);
    expect(ofStates.map(({ who, changed, reason }) => [who, changed, reason])).toEqual([
      ["admin", { health: ["Good", "Maintenance"] }, "new cable"],
      ["lava-health", { state: ["Idle", "Reserved"] }, `job ${id}`],
      ["admin", { state: [null, "Idle"], health: [null, "Good"] }, expect.anything()],
    ]);
    const pages: string[] = [];
    let cursor = "";
    do {
      const page = await lab.api<History>(`/devices/dut/history?limit=1${cursor}`);
      pages.push(...page.changes.map((change) => change.id));
      cursor = page.next_cursor ? `&cursor=${encodeURIComponent(page.next_cursor)}` : "";
    } while (cursor !== "");
    expect(pages).toEqual(changes.map((change) => change.id));
    const job = await lab.api<History>(`/jobs/${id}/history`);
    expect(job.changes.map(({ changed }) => changed["state"]?.[1])).toEqual([
      "Scheduled",
      "Submitted",
    ]);
    await setHealth("Maintenance", "power");
    const ofWorker = await lab.api<History>("/workers/bench/history");
    expect(ofWorker.changes[0]).toMatchObject({
      who: "admin",
      changed: { health: ["Active", "Maintenance"] },
      reason: "power",
    });
    expect((await lab.request("/devices/dut/history?cursor=x")).status).toBe(400);
  });
});
