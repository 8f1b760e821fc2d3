import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DeviceView, JobList, Problem, WorkerView } from "#protocol/api.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

async function refusal(where: string, options = {}): Promise<Problem & { status: number }> {
  const answer = await lab.request(where, options);
  return { status: answer.status, ...((await answer.json()) as Problem) };
}

describe("refusals", () => {
  test.each([
    ["/jobs/99", 404, /no job 99/],
    ["/jobs/abc", 404, /ids are numbers/],
    ["/jobs/0", 404, /ids are numbers/],
    ["/jobs/99/log", 404, /no job 99/],
    ["/jobs/99/log?format=yaml", 404, /no job 99/],
    ["/jobs/99/results", 404, /no job 99/],
    ["/jobs/99/definition", 404, /no job 99/],
    ["/devices/none", 404, /no device "none"/],
    ["/workers/none", 404, /no worker "none"/],
    ["/nothing/here", 404, /nothing at/],
    ["/jobs?state=Sleeping", 400, /state/],
    ["/jobs?limit=many", 400, /limit/],
    ["/jobs?cursor=x", 400, /cursor/],
    ["/jobs/1/log?start=-1", 400, /start/],
  ])("GET %s is %i", async (where, status, message) => {
    const problem = await refusal(where);
    expect(problem.status).toBe(status);
    expect(problem.message).toMatch(message);
  });

  test("a method that a path does not take is 405 and names those it takes", async () => {
    const answer = await lab.request("/jobs/1/cancel");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await lab.request("/devices", { method: "DELETE" })).status).toBe(405);
  });

  test("a body that is not JSON, or not of the right shape, is 400 and says where", async () => {
    expect(await refusal("/workers", { body: "{" })).toMatchObject({
      status: 400,
      code: "invalid",
    });
    const { message } = await refusal("/workers", { body: { name: "../x" } });
    expect(message).toMatch(/^name: /);
  });

  test("a body beyond the limit is 413, announced or not", async () => {
    const body = "x".repeat(1024 * 1024 + 1);
    expect(await refusal("/jobs", { body })).toMatchObject({ status: 413, code: "too_large" });
    const stream = new Blob([body]).stream();
    const endless = await lab.app.request("/api/v1/jobs", {
      method: "POST",
      headers: { authorization: `Bearer ${lab.adminToken}` },
      body: stream,
      duplex: "half",
    } as RequestInit);
    expect(endless.status).toBe(413);
  });

  test("an error of ours is 500 with an id that the operator's log has too", async () => {
    vi.spyOn(lab.deps.table, "get").mockRejectedValue(new Error("disk on fire"));
    const problem = await refusal("/jobs/1");
    expect(problem).toMatchObject({ status: 500, code: "internal" });
    expect(problem.message).not.toContain("fire");
    vi.restoreAllMocks();
    expect(lab.messages.find((line) => line.includes(problem.request_id!))).toContain("fire");
  });
});

describe("jobs", () => {
  test("are listed newest first, page by page, filtered", async () => {
    const alice = await lab.addUser("alice");
    for (let n = 0; n < 7; n++) await lab.submit(aJob({ name: `job ${n}` }));
    await lab.api("/jobs", { body: aJob(), token: alice.token });
    await lab.api("/jobs/3/cancel", { method: "POST" });
    const list = (query: string) => lab.api<JobList>(`/jobs?${query}`);
    const ids = ({ jobs }: JobList) => jobs.map(({ id }) => id);
    const first = await list("limit=3");
    expect(ids(first)).toEqual([8, 7, 6]);
    const second = await list(`limit=3&cursor=${first.next_cursor}`);
    expect(ids(second)).toEqual([5, 4, 3]);
    expect(ids(await list(`limit=3&cursor=${second.next_cursor}`))).toEqual([2, 1]);
    expect(ids(await list("submitter=alice"))).toEqual([8]);
    expect(ids(await list("state=Finished"))).toEqual([3]);
    expect(ids(await list("health=Canceled&device_type=qemu"))).toEqual([3]);
    expect(ids(await list("device=qemu-01"))).toEqual([]);
    expect(ids(await list("limit=2&state=Submitted"))).toEqual([8, 7]);
  });

  test("of a device are listed with it", async () => {
    const token = (await lab.request("/workers", { body: { name: "w2" } })).json();
    await lab.addDevice("qemu-02", { worker: "w2" });
    await lab.sync(((await token) as { token: string }).token);
    const id = await lab.submit();
    const { jobs } = await lab.api<JobList>("/jobs?device=qemu-02");
    expect(jobs.map((job) => job.id)).toEqual([id]);
  });

  test("give back their definition byte for byte", async () => {
    const text = `\uFEFF# ünïcode, tabs and CRLF\r\n${aJob()}\n\n`;
    const id = await lab.submit(text);
    const answer = await lab.request(`/jobs/${id}/definition`);
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(Buffer.from(text));
  });
});

describe("devices", () => {
  test("are made, replaced with their health kept, and removed", async () => {
    await lab.addDevice("qemu-02", { tags: ["kvm", "kvm"], description: "second" });
    await lab.api("/devices/qemu-02/health", { body: { health: "Maintenance" } });
    const replaced = await lab.addDevice("qemu-02", { tags: ["usb"] });
    expect(replaced).toEqual({
      hostname: "qemu-02",
      device_type: "qemu",
      worker: "bench",
      state: "Idle",
      health: "Maintenance",
      tags: ["usb"],
      description: "",
      // It says why the device gets no job even when its health is good again.
      health_check_due: true,
    });
    const config = await lab.request("/devices/qemu-02/configuration");
    expect(await config.text()).toBe(aDeviceConfiguration());
    expect((await lab.request("/devices/qemu-02", { method: "DELETE" })).status).toBe(204);
    expect((await lab.request("/devices/qemu-02")).status).toBe(404);
  });

  test("are listed page by page", async () => {
    for (const name of ["b", "a", "c"]) await lab.addDevice(name);
    const page = (query: string) =>
      lab.api<{ devices: DeviceView[]; next_cursor?: string }>(`/devices?${query}`);
    const first = await page("limit=2");
    expect(first.devices.map(({ hostname }) => hostname)).toEqual(["a", "b"]);
    const second = await page(`limit=2&cursor=${first.next_cursor}`);
    expect(second.devices.map(({ hostname }) => hostname)).toEqual(["c", "qemu-01"]);
    expect(second.next_cursor).toBeUndefined();
  });

  test("need a host name, a known worker and a configuration that can be read", async () => {
    const body = { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() };
    const put = (name: string, overrides: object) =>
      refusal(`/devices/${name}`, { method: "PUT", body: { ...body, ...overrides } });
    expect((await put("..%2Fx", {})).message).toMatch(/not a host name/);
    expect((await put("x", { worker: "none" })).message).toMatch(/no worker none/);
    expect((await put("x", { device_type: "a#b" })).message).toMatch(/^device_type/);
    expect((await put("x", { configuration: "a: [" })).message).toMatch(/^configuration: line 1/);
  });

  test("that have a job cannot be removed, nor change worker or type", async () => {
    const worker = await lab.addWorker("w2");
    await lab.addDevice("qemu-02", { worker: "w2" });
    await lab.sync(worker);
    await lab.submit();
    const removed = await refusal("/devices/qemu-02", { method: "DELETE" });
    expect([removed.status, removed.message]).toEqual([409, expect.stringMatching(/job 1/)]);
    const body = { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() };
    expect((await refusal("/devices/qemu-02", { method: "PUT", body })).status).toBe(409);
    expect((await lab.addDevice("qemu-02", { worker: "w2", tags: ["x"] })).current_job).toBe(1);
  });

  test("make their type, which counts devices and waiting jobs", async () => {
    await lab.addDevice("board-1", { device_type: "board" });
    await lab.submit();
    await lab.submit();
    const { device_types } = await lab.api<{ device_types: object[] }>("/device-types");
    expect(device_types).toMatchObject([
      { name: "board", devices: 1, queued: 0 },
      { name: "qemu", devices: 1, queued: 2 },
    ]);
  });
});

describe("workers", () => {
  test("are shown with their devices and what they last said", async () => {
    expect(await lab.api<WorkerView>("/workers/bench")).toEqual({
      name: "bench",
      state: "Offline",
      health: "Active",
      description: "",
      job_limit: 0,
      devices: ["qemu-01"],
    });
    expect(await lab.api("/workers")).toMatchObject({ workers: [{ name: "bench" }] });
  });

  test("have a name of their own, and go only when no device is theirs", async () => {
    expect((await refusal("/workers", { body: { name: "bench" } })).status).toBe(409);
    const refused = await refusal("/workers/bench", { method: "DELETE" });
    expect([refused.status, refused.message]).toEqual([409, expect.stringMatching(/qemu-01/)]);
  });
});

test("a lab that is opened again has everything it had", async () => {
  const worker = await lab.addWorker("w2");
  await lab.addDevice("qemu-02", { worker: "w2" });
  await lab.sync(worker);
  const id = await lab.submit();
  const { start } = await lab.sync(worker);
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  await lab.ship(id, start[0]!.token, 0, [{ lvl: "info", msg: "before" }]);
  await lab.reopen();
  expect(await lab.job(id)).toMatchObject({ state: "Running", log_lines: 1 });
  expect(await lab.sync(worker, [{ job_id: id, state: "running" }])).toMatchObject({
    start: [],
    lost: [],
    cancel: [],
  });
  await lab.ship(id, start[0]!.token, 1, [{ lvl: "info", msg: "after" }]);
  expect((await lab.finish(id, start[0]!.token, { result: "pass", lines: 2 })).status).toBe(200);
  expect(await lab.submit()).toBe(id + 1);
});
