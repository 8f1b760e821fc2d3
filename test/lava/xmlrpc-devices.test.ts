import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { xmlRpcClient } from "../support/xmlrpc-client.ts";

let lab: EmbeddedLab;
let rpc: ReturnType<typeof xmlRpcClient>;
beforeEach(async () => {
  lab = await embeddedLab();
  rpc = xmlRpcClient(lab);
  await lab.addWorker();
});
afterEach(() => lab.close());

const DICTIONARY = "{% extends 'qemu.jinja2' %}\n{% set memory = 256 %}\n";

describe("devices", () => {
  const aDevice = () =>
    lab.addDevice("qemu-01", { configuration: undefined, dictionary: DICTIONARY });

  test("are listed, without those that are Retired unless they are wanted", async () => {
    await aDevice();
    await lab.addDevice("old-01", { health: "Retired" });
    const entry = { type: "qemu", state: "Idle", current_job: null, pipeline: true };
    const good = { hostname: "qemu-01", health: "Good", ...entry };
    expect(await rpc.call("scheduler.devices.list")).toEqual([good]);
    expect(await rpc.call("scheduler.devices.list", true, true)).toEqual([
      { hostname: "old-01", health: "Retired", ...entry },
      good,
    ]);
    expect(await rpc.call("scheduler.all_devices")).toEqual([
      ["qemu-01", "qemu", "idle", null, true],
    ]);
    expect(await rpc.call("scheduler.all_device_types")).toEqual([
      { name: "qemu", busy: 0, idle: 1, offline: 0 },
    ]);
  });

  test("are shown", async () => {
    await aDevice();
    expect(await rpc.call("scheduler.devices.show", "qemu-01")).toEqual({
      hostname: "qemu-01",
      device_type: "qemu",
      health: "Good",
      state: "Idle",
      health_job: false,
      description: null,
      pipeline: true,
      public: true,
      user: null,
      group: null,
      has_device_dict: true,
      worker: "bench",
      current_job: null,
      tags: [],
    });
    const status = { hostname: "qemu-01", status: "idle", job: null, is_pipeline: true };
    expect(await rpc.call("scheduler.get_device_status", "qemu-01")).toMatchObject(status);
    for (const method of ["scheduler.devices.show", "scheduler.get_device_status"]) {
      expect(await rpc.fault(method, "nosuch")).toBe("404 Device 'nosuch' was not found.");
    }
  });

  test("are made with their type's template where that is enough", async () => {
    await aDevice();
    expect(await rpc.call("scheduler.devices.add", "qemu-02", "qemu", "bench")).toBe(null);
    expect(await rpc.call("scheduler.devices.get_dictionary", "qemu-02")).toBe(
      "{% extends 'qemu.jinja2' %}\n",
    );
    expect((await lab.api<{ health: string }>("/devices/qemu-02")).health).toBe("Unknown");
  });

  test("are in Maintenance until they have a dictionary where it is not", async () => {
    await lab.api("/device-types/own", { method: "PUT", body: {} });
    const args = ["own-01", "own", "bench", "ann", "team", true, null, "on the left"];
    expect(await rpc.call("scheduler.devices.add", ...args)).toBe(null);
    expect(await rpc.call("scheduler.devices.show", "own-01")).toMatchObject({
      ...{ health: "Maintenance", user: "ann", group: "team", description: "on the left" },
    });
    expect(await rpc.call("scheduler.devices.set_dictionary", "own-01", DICTIONARY)).toBe(true);
    expect(await rpc.call("scheduler.devices.get_dictionary", "own-01")).toBe(DICTIONARY);
  });

  test("are not made twice, nor of what is not there", async () => {
    await aDevice();
    const fault = (...args: string[]) => rpc.fault("scheduler.devices.add", ...args);
    expect(await fault("qemu-01", "qemu", "bench")).toBe("400 Bad request: device already exists?");
    expect(await fault("d", "nosuch", "bench")).toBe("404 DeviceType 'nosuch' was not found.");
    expect(await fault("d", "qemu", "nosuch")).toBe("404 Worker 'nosuch' was not found.");
  });

  test("are changed field by field", async () => {
    await aDevice();
    await lab.addWorker("far");
    await lab.api("/device-types/other", { method: "PUT", body: {} });
    const change = (...args: (string | null | boolean)[]) =>
      rpc.call("scheduler.devices.update", "qemu-01", ...args);
    await change(null, null, null, true, "MAINTENANCE", "moved");
    expect(await rpc.call("scheduler.devices.show", "qemu-01")).toMatchObject({
      ...{ worker: "bench", health: "Maintenance", description: "moved" },
    });
    await change("far", null, null, null, null, null, "other");
    expect(await rpc.call("scheduler.devices.show", "qemu-01")).toMatchObject({
      ...{ worker: "far", device_type: "other", health: "Maintenance", description: "moved" },
    });
    expect(await rpc.fault("scheduler.devices.update", "nosuch")).toBe(
      "404 Device 'nosuch' was not found.",
    );
    const bad = ["qemu-01", null, null, null, null, "worse"];
    expect(await rpc.fault("scheduler.devices.update", ...bad)).toBe(
      "400 Health 'worse' is invalid",
    );
  });

  test("have a dictionary, which is given as it is or rendered, and set", async () => {
    await aDevice();
    expect(await rpc.call("scheduler.devices.get_dictionary", "qemu-01")).toBe(DICTIONARY);
    const rendered = await rpc.call<string>("scheduler.devices.get_dictionary", "qemu-01", true);
    expect(rendered).toContain("-m 256");
    const inContext = ["qemu-01", true, "{memory: 512}"];
    expect(await rpc.call("scheduler.devices.get_dictionary", ...inContext)).toContain("-m 256");
    expect(await rpc.call("scheduler.get_device_config", "qemu-01")).toBe(rendered);
    expect(await rpc.call("scheduler.export_device_dictionary", "qemu-01")).toBe(DICTIONARY);
    const other = `${DICTIONARY}{# more #}\n`;
    expect(await rpc.call("scheduler.import_device_dictionary", "qemu-01", other)).toBe(
      "Device dictionary updated for qemu-01",
    );
    expect(await rpc.call("scheduler.devices.get_dictionary", "qemu-01")).toBe(other);
    expect(await rpc.fault("scheduler.devices.set_dictionary", "qemu-01", "{% if")).toMatch(
      /^400 .*line 1/,
    );
    expect(await rpc.fault("scheduler.devices.get_dictionary", "qemu-01", true, "a: [")).toMatch(
      /^400 Job Context 'a: \[' is not valid/,
    );
    expect(await rpc.fault("scheduler.devices.get_dictionary", "nosuch")).toMatch(/^404 Device/);
  });

  test("have tags", async () => {
    await aDevice();
    const call = (what: string, ...args: string[]) =>
      rpc.call(`scheduler.devices.tags.${what}`, "qemu-01", ...args);
    expect(await rpc.call("scheduler.devices.tags.add", "qemu-01", "kvm")).toBe(null);
    await call("add", "kvm");
    expect(await rpc.call("scheduler.devices.tags.list", "qemu-01")).toEqual(["kvm"]);
    expect(await rpc.call("scheduler.tags.show", "kvm")).toEqual({
      ...{ name: "kvm", description: null, devices: ["qemu-01"] },
    });
    expect(await rpc.call("scheduler.devices.tags.delete", "qemu-01", "kvm")).toBe(null);
    expect(await call("list")).toEqual([]);
    expect(await rpc.fault("scheduler.devices.tags.delete", "qemu-01", "kvm")).toBe(
      "404 Tag 'kvm' was not found.",
    );
    expect(await rpc.fault("scheduler.devices.tags.add", "qemu-01", "a b")).toMatch(
      /^400 .*tag name/,
    );
  });

  test("are taken out of use and put back", async () => {
    await aDevice();
    const health = async () => (await lab.api<{ health: string }>("/devices/qemu-01")).health;
    await rpc.call("scheduler.put_into_maintenance_mode", "qemu-01", "a new cable", "ann@lab.test");
    expect(await health()).toBe("Maintenance");
    expect(await rpc.call("scheduler.all_devices")).toEqual([
      ["qemu-01", "qemu", "offline", null, true],
    ]);
    await rpc.call("scheduler.put_into_online_mode", "qemu-01", "done");
    expect(await health()).toBe("Unknown");
    await rpc.call("scheduler.put_into_online_mode", "qemu-01", "done", true);
    expect(await health()).toBe("Good");
  });

  test("are told to be of use or not", async () => {
    await aDevice();
    expect(await rpc.call("scheduler.validate_pipeline_devices")).toBe("qemu-01:\n  Valid: null\n");
    expect(await rpc.call("scheduler.validate_pipeline_devices", "qemu")).toMatch(/^qemu-01:/);
    expect(await rpc.fault("scheduler.validate_pipeline_devices", "nosuch")).toMatch(
      /^404 No devices/,
    );
  });
});
