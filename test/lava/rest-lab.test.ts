import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { restClient } from "../support/rest-client.ts";

let lab: EmbeddedLab;
const { ask, json } = restClient(() => lab);
beforeAll(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01", { tags: ["kvm"] });
});
afterAll(() => lab.close());

const MISSING = ["This field is required."];

describe("devices", () => {
  test("are told with every field of LAVA's", async () => {
    const [, page] = await json("devices/");
    expect(page).toEqual({
      count: 1,
      next: null,
      previous: null,
      results: [
        {
          hostname: "qemu-01",
          device_type: "qemu",
          device_version: null,
          physical_owner: null,
          physical_group: null,
          description: null,
          tags: [expect.any(Number)],
          state: "Idle",
          health: "Good",
          last_health_report_job: null,
          worker_host: "bench",
          is_synced: false,
        },
      ],
    });
  });

  test("are made, changed and removed, in JSON and by forms", async () => {
    const [status, made] = await json("devices/", {
      body: "hostname=new&device_type=qemu&health=Maintenance&worker_host=bench&tags=kvm",
    });
    expect([status, made]).toEqual([
      201,
      expect.objectContaining({ hostname: "new", health: "Maintenance", worker_host: "bench" }),
    ]);
    const [, tags] = await json("tags/?name=kvm");
    expect(made.tags).toEqual([tags.results[0]!.id]);
    const body = { description: "desk 4", health: "Bad", physical_owner: "ann", tags: [] };
    expect(await json("devices/new/", { method: "PATCH", body })).toEqual([
      200,
      expect.objectContaining({ ...body, hostname: "new" }),
    ]);
    const whole = "device_type=qemu&health=Good&description=";
    expect(await json("devices/new/", { method: "PUT", body: whole })).toEqual([
      200,
      expect.objectContaining({ health: "Good", description: null, physical_owner: "ann" }),
    ]);
    expect((await ask("devices/new/", { method: "DELETE" })).status).toBe(204);
    expect((await ask("devices/new/")).status).toBe(404);
  });

  test.each([
    ["hostname=x", { device_type: MISSING, health: MISSING, worker_host: MISSING }],
    [
      "hostname=x&device_type=nosuch&health=Good&worker_host=bench",
      { device_type: ['Invalid pk "nosuch" - object does not exist.'] },
    ],
    [
      "hostname=x&device_type=qemu&health=Good&worker_host=nosuch",
      { worker_host: ['Invalid pk "nosuch" - object does not exist.'] },
    ],
    [
      "hostname=x&device_type=qemu&health=Goo&worker_host=bench",
      { health: ['"Goo" is not a valid choice.'] },
    ],
    [
      "hostname=qemu-01&device_type=qemu&health=Good&worker_host=bench",
      { hostname: ["device with this Hostname already exists."] },
    ],
  ])("that are made by %s are refused at the field", async (body, wanted) => {
    expect(await json("devices/", { body })).toEqual([400, wanted]);
  });

  test.each([
    ["health=Good", 1],
    ["health__in=Bad,Retired", 0],
    ["device_type__name=qemu&worker_host__hostname=bench", 1],
    ["tags__name=kvm", 1],
    ["hostname__startswith=other", 0],
    ["search=EMU", 1],
    ["description__isnull=false&ordering=-hostname", 1],
  ])("are filtered by %s", async (query, count) => {
    expect((await json(`devices/?${query}`))[1].count).toBe(count);
  });

  test("have a health that is set in any case, and a refusal as LAVA's", async () => {
    const set = (body: string) => json("devices/qemu-01/set_health/", { body });
    expect(await set("health=MAINTENANCE&reason=cables")).toEqual([202, { message: "OK" }]);
    expect(await json("devices/qemu-01/")).toMatchObject([200, { health: "Maintenance" }]);
    expect(await set("health=Nope")).toEqual([400, { message: "Wrong device health NOPE" }]);
    expect(await set("reason=x")).toEqual([400, { message: "Wrong device health None" }]);
    expect((await set("health=good"))[0]).toBe(202);
  });

  test("have a dictionary that is set, read and rendered with a job's context", async () => {
    const dictionary = "{% extends 'qemu.jinja2' %}\n{% set mac_addr = '52:54:00:12:34:56' %}\n";
    const where = "devices/qemu-01/dictionary/";
    expect(await json(where, { body: { dictionary } })).toEqual([
      200,
      { message: "device config successfully updated" },
    ]);
    const stored = await ask(where);
    expect([stored.headers.get("content-type"), await stored.text()]).toEqual([
      expect.stringContaining("text/plain"),
      dictionary,
    ]);
    const rendered = await ask(
      `${where}?render=true&context=${encodeURIComponent("{arch: arm64}")}`,
    );
    expect(rendered.headers.get("content-type")).toContain("application/yaml");
    expect(await rendered.text()).toContain("qemu-system-aarch64");
    expect((await json(`${where}?render=true&context=%7Ba`))[0]).toBe(400);
    expect(await json(where, { body: {} })).toEqual([400, { dictionary: MISSING }]);
    expect((await json(where, { body: { dictionary: "{% extends 'no.jinja2' %}" } }))[0]).toBe(400);
  });

  test("have dictionaries that are validated before anybody has them", async () => {
    const type = "text/plain";
    const valid = "{% extends 'qemu.jinja2' %}";
    expect(await json("devices/validate/", { body: valid, type })).toEqual([
      200,
      { message: "Device dictionary valid." },
    ]);
    const [status, { message }] = await json("devices/validate/", {
      body: "{% extends 'nosuch.jinja2' %}",
      type,
    });
    expect([status, message]).toEqual([
      200,
      expect.stringMatching(/^Device dictionary invalid: .*nosuch/),
    ]);
  });
});

describe("device types", () => {
  test("are made, changed and removed", async () => {
    const [status, made] = await json("devicetypes/", { body: "name=board" });
    expect([status, made]).toEqual([
      201,
      {
        name: "board",
        architecture: null,
        processor: null,
        cpu_model: null,
        aliases: [],
        bits: null,
        cores: [],
        core_count: null,
        description: null,
        health_frequency: 24,
        disable_health_check: false,
        health_denominator: "hours",
        display: true,
      },
    ]);
    expect(await json("devicetypes/", { body: "name=board" })).toEqual([
      400,
      { name: ["device type with this Name already exists."] },
    ]);
    const body =
      "description=d&health_frequency=3&health_denominator=jobs&disable_health_check=true";
    expect(await json("devicetypes/board/", { method: "PATCH", body })).toMatchObject([
      200,
      { health_frequency: 3, health_denominator: "jobs", disable_health_check: true },
    ]);
    expect((await json("devicetypes/?name__contains=oar"))[1].count).toBe(1);
    expect((await ask("devicetypes/board/", { method: "DELETE" })).status).toBe(204);
  });

  test("have templates and health checks", async () => {
    expect(await (await ask("devicetypes/qemu/template/")).text()).toContain("extends");
    expect(await json("devicetypes/qemu/health_check/")).toEqual([
      400,
      { detail: "Device-type 'qemu' health check was not found." },
    ]);
    const config = "job_name: x";
    expect((await json("devicetypes/qemu/health_check/", { body: { config } }))[0]).toBe(400);
    expect(await json("devicetypes/qemu/health_check/", { body: {} })).toEqual([
      400,
      { config: "Health check configuration is required." },
    ]);
    const put = await ask("devicetypes/qemu/health_check/", { body: { config: aJob() } });
    expect(put.status).toBe(204);
    expect(await (await ask("devicetypes/qemu/health_check/")).text()).toBe(aJob());
    await json("devicetypes/", { body: "name=own" });
    expect(await json("devicetypes/own/template/")).toEqual([
      400,
      { detail: "Device-type 'own' template was not found." },
    ]);
    const template = "{% extends 'base.jinja2' %}";
    expect((await ask("devicetypes/own/template/", { body: { template } })).status).toBe(204);
    expect(await (await ask("devicetypes/own/template/")).text()).toBe(template);
  });
});

describe("workers", () => {
  test("are made with a token that is told this once, changed and removed", async () => {
    const [status, made] = await json("workers/", { body: "hostname=w2" });
    expect([status, made]).toEqual([
      201,
      {
        hostname: "w2",
        health: "Active",
        state: "Offline",
        description: null,
        last_ping: null,
        job_limit: 0,
        version: null,
        token: expect.any(String),
      },
    ]);
    expect(await json("workers/", { body: "hostname=w2" })).toEqual([
      400,
      { hostname: ["worker with this Hostname already exists."] },
    ]);
    const body = "description=d&health=Maintenance&job_limit=2";
    const [, changed] = await json("workers/w2/", { method: "PATCH", body });
    expect(changed).toMatchObject({ description: "d", health: "Maintenance", job_limit: 2 });
    expect(changed).not.toHaveProperty("token");
    expect((await json("workers/?health=Maintenance"))[1].count).toBe(1);
    expect((await ask("workers/w2/", { method: "DELETE" })).status).toBe(204);
  });

  test.each([
    ["config", "config", "dispatcher_ip: 1.2.3.4\n"],
    ["env", "env", "purge: false\n"],
    ["env_dut", "env", "overrides: {A: b}\n"],
  ])("have their %s as a file", async (path, field, text) => {
    const where = `workers/bench/${path}/`;
    expect((await json(where))[0]).toBe(400);
    expect(await json(where, { body: { [field]: text } })).toEqual([
      200,
      { message: "content successfully updated" },
    ]);
    expect(await (await ask(where)).text()).toBe(text);
    expect(await json(where, { body: {} })).toEqual([400, { [field]: MISSING }]);
    expect((await json(where, { body: { [field]: "[a" } }))[0]).toBe(400);
  });
});

describe("tags and aliases", () => {
  test("a tag has a number that leads to it", async () => {
    const [status, made] = await json("tags/", { body: { name: "usb", description: "d" } });
    expect([status, made]).toEqual([
      201,
      { id: expect.any(Number), name: "usb", description: "d" },
    ]);
    expect((await json(`tags/${made.id}/`))[1]).toEqual(made);
    expect((await json("tags/usb/"))[1]).toEqual(made);
    expect(await json("tags/", { body: { name: "usb" } })).toMatchObject([400, {}]);
    const body = { description: "e" };
    expect((await json(`tags/${made.id}/`, { method: "PATCH", body }))[1]).toMatchObject(body);
    expect((await ask(`tags/${made.id}/`, { method: "DELETE" })).status).toBe(204);
    // Nobody has described this one.
    expect((await json("tags/?name=kvm"))[1].count).toBe(1);
  });

  test("an alias is another name of a device type", async () => {
    const body = "name=virtual&device_type=qemu";
    const alias = { name: "virtual", device_type: "qemu" };
    expect(await json("aliases/", { body })).toEqual([201, alias]);
    expect(await json("aliases/", { body })).toMatchObject([400, {}]);
    expect(await json("aliases/", { body: "name=x&device_type=nosuch" })).toEqual([
      400,
      { device_type: ['Invalid pk "nosuch" - object does not exist.'] },
    ]);
    expect(await json("devicetypes/qemu/")).toMatchObject([200, { aliases: ["virtual"] }]);
    expect((await json("aliases/virtual/"))[1]).toEqual(alias);
    expect((await ask("aliases/virtual/", { method: "DELETE" })).status).toBe(204);
  });
});

test("a permission is granted to a group and taken back by its number", async () => {
  await lab.api("/groups/team", { method: "PUT", body: { members: [] } });
  const body = { group: "team", permission: "submit_to_device", device: "qemu-01" };
  const [status, made] = await json("permissions/devices/", { body });
  expect([status, made]).toEqual([201, { id: expect.any(Number), ...body }]);
  expect((await json("permissions/devices/?group=team"))[1]).toMatchObject({ results: [made] });
  expect((await json(`permissions/devices/${made.id}/`))[1]).toEqual(made);
  expect((await ask(`permissions/devices/${made.id}/`, { method: "DELETE" })).status).toBe(204);
  expect((await json("permissions/devices/"))[1].count).toBe(0);
  expect(await json("permissions/devicetypes/", { body: {} })).toEqual([
    400,
    { group: MISSING, permission: MISSING, devicetype: MISSING },
  ]);
  const unknown = { ...body, group: "nosuch" };
  expect(await json("permissions/devices/", { body: unknown })).toEqual([
    400,
    { group: ["Object with name=nosuch does not exist."] },
  ]);
});
