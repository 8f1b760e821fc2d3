import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aJob } from "../support/builders.ts";
import { xmlRpcClient } from "../support/xmlrpc-client.ts";

let lab: EmbeddedLab;
let rpc: ReturnType<typeof xmlRpcClient>;
beforeEach(async () => {
  lab = await embeddedLab();
  rpc = xmlRpcClient(lab);
  await lab.addWorker();
});
afterEach(() => lab.close());

describe("device types", () => {
  test("are made, changed, shown and listed", async () => {
    const add = ["own", "a board", true, false, 5, "jobs"];
    expect(await rpc.call("scheduler.device_types.add", ...add)).toBe(null);
    expect(await rpc.fault("scheduler.device_types.add", ...add)).toMatch(
      /^400 Bad request: device/,
    );
    expect(await rpc.fault("scheduler.device_types.add", "o", "", true, false, 5, "weeks")).toBe(
      "400 Bad request: invalid health_denominator.",
    );
    const nothing = [null, null, null, null, null];
    await rpc.call("scheduler.device_types.update", "own", ...nothing, true);
    await lab.addDevice("own-01", { device_type: "own" });
    await lab.api("/aliases/plank", { method: "PUT", body: { device_type: "own" } });
    expect(await rpc.call("scheduler.device_types.show", "own")).toEqual({
      name: "own",
      description: "a board",
      display: true,
      owners_only: false,
      health_disabled: true,
      health_denominator: "jobs",
      health_frequency: 5,
      aliases: ["plank"],
      devices: ["own-01"],
      default_template: true,
    });
    expect(await rpc.call("scheduler.device_types.list")).toEqual([
      { name: "own", devices: 1, installed: true, template: false },
    ]);
    const all = await rpc.call<{ name: string }[]>("scheduler.device_types.list", true);
    expect(all[0]).toEqual({ name: "own", devices: 1, installed: true, template: false });
    expect(all.length).toBeGreaterThan(300);
    expect(all.filter(({ name }) => name === "qemu")).toEqual([
      { name: "qemu", devices: 0, installed: false, template: true },
    ]);
    expect(all.filter(({ name }) => name.startsWith("base"))).toEqual([]);
    for (const [method, ...args] of [
      ["scheduler.device_types.show"],
      ["scheduler.device_types.update", "x", true, false, 5, "hours", false],
      ["scheduler.device_types.aliases.list"],
      ["scheduler.device_types.get_template"],
      ["scheduler.device_types.get_health_check"],
    ] as const) {
      const fault = await rpc.fault(method, "nosuch", ...args);
      expect(fault, method).toBe("404 Device-type 'nosuch' was not found.");
    }
  });

  test("have templates: the lab's own before Pumice's", async () => {
    await lab.addDevice("qemu-01");
    const stock = await rpc.call<string>("scheduler.device_types.get_template", "qemu");
    expect(stock).toContain("extends");
    await rpc.call("scheduler.device_types.set_template", "qemu", "{% extends 'base.jinja2' %}\n");
    expect(await rpc.call("scheduler.device_types.get_template", "qemu")).toBe(
      "{% extends 'base.jinja2' %}\n",
    );
    expect(await rpc.call("scheduler.device_types.show", "qemu")).toMatchObject({
      default_template: false,
    });
    expect(await rpc.fault("scheduler.device_types.set_template", "qemu", "{% if")).toMatch(
      /^400 /,
    );
    expect(await rpc.fault("scheduler.device_types.get_template", "../secret")).toMatch(/^404 /);
  });

  test("have health checks", async () => {
    await rpc.call("scheduler.device_types.set_health_check", "qemu", aJob());
    expect(await rpc.call("scheduler.device_types.get_health_check", "qemu")).toBe(aJob());
    expect(await rpc.fault("scheduler.device_types.set_health_check", "qemu", "a: [")).toMatch(
      /^400/,
    );
  });

  test("have other names", async () => {
    await lab.addDevice("qemu-01");
    await rpc.call("scheduler.device_types.aliases.add", "qemu", "kvm-box");
    expect(await rpc.call("scheduler.device_types.aliases.list", "qemu")).toEqual(["kvm-box"]);
    expect(await rpc.call("scheduler.get_device_type_by_alias", "kvm-box")).toEqual({
      "kvm-box": ["qemu"],
    });
    expect(await rpc.call("scheduler.get_device_type_by_alias", "x")).toEqual({ x: [] });
    await rpc.call("scheduler.device_types.aliases.delete", "qemu", "kvm-box");
    expect(await rpc.fault("scheduler.device_types.aliases.delete", "qemu", "kvm-box")).toBe(
      "404 Alias 'kvm-box' was not found.",
    );
    await rpc.call("scheduler.aliases.add", "box", "qemu");
    expect(await rpc.call("scheduler.aliases.list")).toEqual(["box"]);
    expect(await rpc.call("scheduler.aliases.show", "box")).toEqual({
      ...{ name: "box", device_type: "qemu" },
    });
    await lab.api("/device-types/other", { method: "PUT", body: {} });
    expect(await rpc.fault("scheduler.aliases.add", "box", "other")).toMatch(
      /^400 Alias 'box' already/,
    );
    expect(await rpc.call("scheduler.aliases.delete", "box")).toBe(null);
    expect(await rpc.fault("scheduler.aliases.show", "box")).toBe("404 Alias 'box' was not found.");
    expect(await rpc.fault("scheduler.aliases.delete", "box")).toBe(
      "404 Alias 'box' was not found.",
    );
    expect(await rpc.fault("scheduler.aliases.add", "box", "nosuch")).toMatch(/^400 /);
  });
});

test("tags are made, shown, listed, and taken from the devices that have them", async () => {
  await rpc.call("scheduler.tags.add", "kvm", "has KVM");
  await rpc.call("scheduler.tags.add", "usb");
  expect(await rpc.fault("scheduler.tags.add", "kvm")).toBe("400 Bad request: tag already exists?");
  await lab.addDevice("qemu-01", { tags: ["kvm", "hdmi"] });
  expect(await rpc.call("scheduler.tags.list")).toEqual([
    { name: "hdmi", description: null },
    { name: "kvm", description: "has KVM" },
    { name: "usb", description: null },
  ]);
  expect(await rpc.call("scheduler.tags.delete", "kvm")).toBe(null);
  expect(await rpc.call("scheduler.tags.delete", "hdmi")).toBe(null);
  expect(await rpc.call("scheduler.tags.list")).toEqual([{ name: "usb", description: null }]);
  expect((await lab.api<{ tags: string[] }>("/devices/qemu-01")).tags).toEqual([]);
  expect(await rpc.fault("scheduler.tags.show", "kvm")).toBe("404 Tag 'kvm' was not found.");
  expect(await rpc.fault("scheduler.tags.delete", "kvm")).toBe("404 Tag 'kvm' was not found.");
});

describe("workers", () => {
  test("are made, changed, shown and listed; a token is never told", async () => {
    await lab.addDevice("qemu-01");
    await rpc.call("scheduler.workers.add", "far", "in the cellar");
    await rpc.call("scheduler.workers.add", "off", null, true);
    expect(await rpc.fault("scheduler.workers.add", "far")).toBe(
      "400 Bad request: worker already exists?",
    );
    expect(await rpc.call("scheduler.workers.list")).toEqual(["bench", "far", "off"]);
    expect(await rpc.call("scheduler.workers.show", "off")).toMatchObject({ health: "Retired" });
    await rpc.call("scheduler.workers.update", "bench", "on the shelf", "MAINTENANCE", 3);
    expect(await rpc.call("scheduler.workers.show", "bench")).toEqual({
      hostname: "bench",
      description: "on the shelf",
      state: "Offline",
      health: "Maintenance",
      devices: ["qemu-01"],
      last_ping: new Date(0),
      job_limit: 3,
      version: null,
      default_config: true,
      default_env: true,
      default_env_dut: true,
    });
    await rpc.call("scheduler.workers.update", "bench", null, "ACTIVE");
    expect(await rpc.call("scheduler.workers.show", "bench")).toMatchObject({
      ...{ health: "Active", description: "on the shelf", job_limit: 3 },
    });
    expect(await rpc.fault("scheduler.workers.update", "bench", null, "bad")).toBe(
      "400 Invalid health: bad",
    );
    for (const method of ["scheduler.workers.show", "scheduler.workers.update"]) {
      expect(await rpc.fault(method, "nosuch")).toBe("404 Worker 'nosuch' was not found.");
    }
  });

  test.each([
    ["scheduler.workers.get_config", "scheduler.workers.set_config", "dispatcher_ip: 10.0.0.1\n"],
    ["scheduler.workers.get_env", "scheduler.workers.set_env", "overrides: {A: b}\n"],
    ["scheduler.workers.get_env_dut", "scheduler.workers.set_env_dut", "overrides: {A: b}\n"],
  ])("have texts: %s", async (get, set, text) => {
    expect(await rpc.call(get, "bench")).toBe("");
    expect(await rpc.call(set, "bench", text)).toBe(true);
    expect(await rpc.call(get, "bench")).toBe(text);
    expect(await rpc.fault(get, "nosuch")).toBe("404 Worker 'nosuch' was not found.");
    expect(await rpc.fault(set, "nosuch", text)).toBe("404 Worker 'nosuch' was not found.");
    expect(await rpc.fault(set, "bench", "a: [")).toMatch(/^400 /);
  });
});

describe("permissions", () => {
  beforeEach(async () => {
    await lab.addDevice("qemu-01");
    await lab.addStranger("ann");
    await lab.api("/groups/team", { method: "PUT", body: { members: [] } });
  });
  const grants = async (where: string) =>
    (await lab.api<{ permissions: object }>(`/permissions/${where}`)).permissions;

  test("on a device and on a device type are granted to a group and taken back", async () => {
    await rpc.call("system.assign_perm_device", "view_device", "qemu-01", "team");
    await rpc.call("system.assign_perm_device", "submit_to_device", "qemu-01", "team");
    await rpc.call("system.assign_perm_device_type", "change_devicetype", "qemu", "team");
    expect(await grants("device/qemu-01")).toEqual({ view: ["team"], submit: ["team"] });
    expect(await grants("device-type/qemu")).toEqual({ change: ["team"] });
    await rpc.call("system.revoke_perm_device", "view_device", "qemu-01", "team");
    await rpc.call("system.revoke_perm_device_type", "change_devicetype", "qemu", "team");
    expect(await grants("device/qemu-01")).toEqual({ submit: ["team"] });
    expect(await grants("device-type/qemu")).toEqual({});
    const fault = (...args: string[]) => rpc.fault("system.assign_perm_device", ...args);
    expect(await fault("eat_device", "qemu-01", "team")).toMatch(/^400 perm: expected view_device/);
    expect(await fault("view_device", "qemu-01", "nosuch")).toMatch(/^400 there is no group/);
    expect(await fault("view_device", "nosuch", "team")).toMatch(/^404 /);
  });

  test("come with groups, of which somebody is made a member of exactly some", async () => {
    await lab.api("/groups/others", { method: "PUT", body: { members: ["ann"] } });
    await rpc.call("system.set_user_groups", "ann", ["team"]);
    const { groups } = await lab.api<{ groups: object[] }>("/groups");
    expect(groups).toMatchObject([
      { name: "others", members: [] },
      { name: "team", members: ["ann"] },
    ]);
    expect(await rpc.fault("system.set_user_groups", "nobody", [])).toBe(
      "400 please use an existing user",
    );
    expect(await rpc.fault("system.set_user_groups", "ann", ["nosuch"])).toMatch(/^400 please use/);
  });

  test("are asked for: what somebody may see and submit to", async () => {
    await lab.submit();
    const ann = await lab.addStranger("bob");
    const ask = async (method: string, ...args: string[][]) => {
      const answer = await rpc.ask({ user: "bob", token: ann.token }, method, ...args);
      return "value" in answer ? JSON.parse(JSON.stringify(answer.value)) : answer;
    };
    expect(await rpc.call("system.user_can_view_jobs", ["1", "99", "x"])).toEqual({ 1: true });
    expect(await ask("system.user_can_view_jobs", ["1", "99"])).toEqual({});
    expect(await rpc.call("system.user_can_view_devices", ["qemu-01", "nosuch"])).toEqual({
      qemu: [{ "qemu-01": { is_pipeline: true, visible: true, exclusive: true } }],
    });
    expect(await ask("system.user_can_view_devices", ["qemu-01"])).toEqual({});
    const types = ["qemu", "nosuch"];
    expect(await rpc.call("system.user_can_submit_to_types", types)).toEqual({ qemu: true });
    expect(await ask("system.user_can_submit_to_types", types)).toEqual({});
    await lab.api("/permissions/device-type/qemu", {
      body: { to: "user:bob", permission: "view" },
    });
    expect(await ask("system.user_can_submit_to_types", types)).toEqual({ qemu: false });
    await lab.api("/permissions/device/qemu-01", {
      body: { to: "user:bob", permission: "submit" },
    });
    expect(await ask("system.user_can_submit_to_types", types)).toEqual({ qemu: true });
    expect(await ask("system.user_can_view_bundles", ["x"])).toBe(false);
  });
});
