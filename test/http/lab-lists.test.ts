import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Problem } from "#protocol/api.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
});
afterEach(() => lab.close());

const put = (where: string, body: object = {}) => lab.request(where, { method: "PUT", body });
const remove = (where: string) => lab.request(where, { method: "DELETE" });
const refused = async (answer: Response) => {
  const { message } = (await answer.json()) as Problem;
  return [answer.status, message];
};

describe("device types", () => {
  test("are described, and have defaults", async () => {
    await put("/device-types/board", { description: "a board", health_denominator: "jobs" });
    expect(await lab.api("/device-types/board")).toEqual({
      name: "board",
      description: "a board",
      display: true,
      health_frequency: 24,
      health_denominator: "jobs",
      health_disabled: false,
      devices: 0,
      queued: 0,
    });
    expect((await lab.request("/device-types/none")).status).toBe(404);
    expect((await put("/device-types/a%23b")).status).toBe(400);
    expect((await put("/device-types/b", { health_frequency: -1 })).status).toBe(400);
  });

  test("keep what was said of them when a device comes, and stay while one is there", async () => {
    await put("/device-types/qemu", { description: "virtual" });
    await lab.addDevice("qemu-01");
    expect(await lab.api("/device-types/qemu")).toMatchObject({
      description: "virtual",
      devices: 1,
    });
    expect(await refused(await remove("/device-types/qemu"))).toEqual([
      409,
      expect.stringMatching(/that of qemu-01/),
    ]);
    await remove("/devices/qemu-01");
    expect((await remove("/device-types/qemu")).status).toBe(204);
    expect((await remove("/device-types/qemu")).status).toBe(404);
  });
});

describe("aliases", () => {
  test("stand for a type in jobs; the definition stays as it was", async () => {
    await lab.addDevice("qemu-01");
    expect(await (await put("/aliases/virtual", { device_type: "qemu" })).json()).toEqual({
      name: "virtual",
      device_type: "qemu",
    });
    const text = aJob({ deviceType: "virtual" });
    const id = await lab.submit(text);
    expect(await lab.job(id)).toMatchObject({ device_type: "qemu" });
    expect(await (await lab.request(`/jobs/${id}/definition`)).text()).toBe(text);
    expect(await lab.api("/aliases")).toEqual({
      aliases: [{ name: "virtual", device_type: "qemu" }],
    });
    expect((await remove("/aliases/virtual")).status).toBe(204);
    expect((await remove("/aliases/virtual")).status).toBe(404);
  });

  test("and types have different names, and a type that has an alias stays", async () => {
    await put("/device-types/board");
    expect(await refused(await put("/aliases/x", { device_type: "none" }))).toEqual([
      400,
      expect.stringMatching(/no device type none/),
    ]);
    expect((await put("/aliases/board", { device_type: "board" })).status).toBe(409);
    await put("/aliases/x", { device_type: "board" });
    expect(await refused(await put("/device-types/x"))).toEqual([
      409,
      expect.stringMatching(/x is an alias of device type board/),
    ]);
    expect((await remove("/device-types/board")).status).toBe(409);
    await expect(lab.addDevice("dut", { device_type: "x" })).rejects.toThrow(/is an alias of/);
  });
});

test("tags and groups are kept with what they mean", async () => {
  await put("/tags/kvm", { description: "has KVM" });
  await put("/tags/kvm", { description: "has /dev/kvm" });
  await put("/groups/kernel", { description: "", members: ["bob", "alice", "bob"] });
  expect(await lab.api("/tags")).toEqual({ tags: [{ name: "kvm", description: "has /dev/kvm" }] });
  expect(await lab.api("/groups")).toEqual({
    groups: [{ name: "kernel", description: "", members: ["bob", "alice"] }],
  });
  for (const where of ["/tags/kvm", "/groups/kernel"]) {
    expect((await remove(where)).status).toBe(204);
    expect((await remove(where)).status).toBe(404);
  }
  expect((await put("/groups/x", { members: ["no name"] })).status).toBe(400);
});

describe("a worker", () => {
  test("gets its settings with each job", async () => {
    const token = await lab.addWorker("w2");
    await lab.addDevice("qemu-02", { worker: "w2" });
    const settings = {
      description: "second",
      job_limit: 3,
      dispatcher: "dispatcher_ip: 192.0.2.1\n",
      env: "",
      env_dut: "overrides: {LANG: C}\n",
    };
    expect(await (await put("/workers/w2", settings)).json()).toMatchObject({ job_limit: 3 });
    expect(await lab.api("/workers/w2/settings")).toEqual({ ...settings, health: "Active" });
    await lab.sync(token);
    await lab.submit();
    expect((await lab.sync(token)).start).toMatchObject([
      { dispatcher: settings.dispatcher, env_dut: settings.env_dut },
    ]);
    expect((await put("/workers/none")).status).toBe(404);
  });

  test("refuses texts that are no YAML mapping, and too long ones", async () => {
    expect(await refused(await put("/workers/bench", { env: "a: 1\nb: [" }))).toEqual([
      400,
      expect.stringMatching(/^env: line [23]/),
    ]);
    expect((await put("/workers/bench", { dispatcher: "- a" })).status).toBe(400);
    const long = `# ${"x".repeat(200 * 1024)}`;
    expect((await put("/workers/bench", { env: long, env_dut: long })).status).toBe(400);
  });

  test("passes its health on to its devices as LAVA does", async () => {
    for (const name of ["good", "bad"]) await lab.addDevice(name);
    await lab.api("/devices/bad/health", { body: { health: "Bad" } });
    const healths = async () =>
      (await lab.api<{ devices: { health: string }[] }>("/devices")).devices.map((d) => d.health);
    await put("/workers/bench", { health: "Maintenance" });
    expect(await healths()).toEqual(["Bad", "Good"]);
    await put("/workers/bench", { health: "Active" });
    expect(await healths()).toEqual(["Bad", "Unknown"]);
    await put("/workers/bench", { health: "Retired" });
    expect(await healths()).toEqual(["Bad", "Retired"]);
    await put("/workers/bench", { description: "stays retired" });
    expect(await lab.api("/workers/bench")).toMatchObject({ health: "Retired" });
  });
});
