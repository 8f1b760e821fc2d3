import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Problem } from "#protocol/api.ts";
import type { Lab, LabApplied, LabPlan, TextVersionList } from "#protocol/lab.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

/** What somebody writes; the server fills in the rest. */
type Wanted = Record<string, Record<string, unknown>>;
const plan = (wanted: Wanted, rest: object = {}) =>
  lab.api<LabPlan>("/lab/plan", { body: { lab: wanted, ...rest } });
const apply = (wanted: Wanted, rest: object = {}) =>
  lab.api<LabApplied>("/lab/apply", { body: { lab: wanted, ...rest } });
const whole = () => lab.api<Lab>("/lab");
const shortly = ({ changes }: { changes: LabPlan["changes"] }) =>
  changes.map(({ action, section, name }) => `${action} ${section}/${name}`);
const errorsOf = async (wanted: Wanted, rest: object = {}) =>
  (await plan(wanted, rest)).errors.map(
    ({ section, name, field, message }) => `${section}/${name}/${field}: ${message}`,
  );
async function refused(wanted: Wanted, rest: object = {}): Promise<[number, string]> {
  const answer = await lab.request("/lab/apply", { body: { lab: wanted, ...rest } });
  return [answer.status, ((await answer.json()) as Problem).message];
}

const DICTIONARY = "{% extends 'ours.jinja2' %}\n{% set memory = 128 %}\n";
const aLab = (): Wanted => ({
  settings: {
    scheduling: {
      fair_share: "user",
      fair_share_half_life_hours: 24,
      health_frequency_hours: 24,
    },
  },
  templates: { "ours.jinja2": "{% extends 'qemu.jinja2' %}\n" },
  health_checks: { ours: aJob() },
  device_types: { board: { description: "a board", health_frequency: 5 } },
  aliases: { plank: "board" },
  tags: { kvm: { description: "has KVM" } },
  groups: { kernel: { members: ["alice"] } },
  workers: { bench: { job_limit: 3, dispatcher: "dispatcher_ip: 192.0.2.1\n" } },
  devices: {
    "board-1": { device_type: "board", worker: "bench", dictionary: DICTIONARY, tags: ["kvm"] },
    "qemu-1": { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() },
  },
  windows: {
    cables: {
      device: "board-1",
      weekly: { days: ["sat"], at: "22:00", minutes: 60, zone: "UTC" },
      drain: true,
      reason: "",
    },
  },
  queries: {
    "alice/usb-red": {
      description: "",
      entity: "testcase",
      conditions: "testcase__name__icontains__usb,testcase__result__exact__fail",
      limit: 200,
      published: true,
    },
  },
});
const ALL = [
  "create settings/scheduling",
  "create templates/ours.jinja2",
  "create health_checks/ours",
  "create device_types/board",
  "create device_types/qemu",
  "create aliases/plank",
  "create tags/kvm",
  "create groups/kernel",
  "create workers/bench",
  "create devices/board-1",
  "create devices/qemu-1",
  "create windows/cables",
  "create queries/alice/usb-red",
];

/** The first administrator, and whom the group names. */
const PEOPLE = {
  admin: { admin: true, active: true, email: "", full_name: "" },
  alice: { admin: false, active: true, email: "", full_name: "" },
};

describe("a lab that is applied", () => {
  test("to an empty one makes everything, with the tokens of new workers, and is then as wanted", async () => {
    const planned = await plan(aLab());
    expect([shortly(planned), planned.errors, await whole()]).toMatchObject([
      ALL,
      [],
      { devices: {} },
    ]);
    const applied = await apply(aLab(), { revision: planned.revision, comment: "from git" });
    expect(shortly(applied)).toEqual(ALL);
    const token = applied.worker_tokens["bench"]!;
    expect((await lab.sync(token)).start).toEqual([]);
    expect(await whole()).toEqual({
      ...aLab(),
      device_types: {
        board: {
          description: "a board",
          display: true,
          health_frequency: 5,
          health_denominator: "hours",
          health_disabled: false,
        },
        qemu: expect.objectContaining({ description: "", health_frequency: 24 }),
      },
      users: PEOPLE,
      groups: { kernel: { description: "", members: ["alice"] } },
      workers: {
        bench: {
          description: "",
          job_limit: 3,
          health: "Active",
          dispatcher: "dispatcher_ip: 192.0.2.1\n",
          env: "",
          env_dut: "",
        },
      },
      devices: {
        "board-1": {
          device_type: "board",
          worker: "bench",
          tags: ["kvm"],
          description: "",
          health: "Good",
          dictionary: DICTIONARY,
        },
        "qemu-1": {
          device_type: "qemu",
          worker: "bench",
          tags: [],
          description: "",
          health: "Good",
          configuration: aDeviceConfiguration(),
        },
      },
    });
    expect(await lab.api<TextVersionList>("/devices/board-1/versions")).toMatchObject({
      versions: [{ version: 1, comment: "from git", user: "admin" }],
    });
  });

  test("again changes nothing, pruned or not; nor does what the server itself says", async () => {
    await apply(aLab());
    expect(await apply(aLab(), { prune: true })).toEqual({
      changes: [],
      warnings: [],
      worker_tokens: {},
    });
    const own = (await whole()) as Wanted;
    expect(shortly(await plan(own, { prune: true }))).toEqual([]);
  });

  test("changes what differs, and says from what to what", async () => {
    await apply(aLab());
    const wanted = aLab();
    const device = wanted["devices"]!["board-1"] as Record<string, unknown>;
    Object.assign(device, { tags: ["usb", "kvm", "usb"], dictionary: `${DICTIONARY}{# new #}` });
    wanted["templates"]!["ours.jinja2"] = "{% extends 'kvm.jinja2' %}\n";
    wanted["aliases"]!["plank"] = "qemu";
    const { changes } = await apply(wanted);
    expect(changes).toEqual([
      {
        action: "change",
        section: "templates",
        name: "ours.jinja2",
        fields: {
          text: { from: "{% extends 'qemu.jinja2' %}\n", to: "{% extends 'kvm.jinja2' %}\n" },
        },
      },
      {
        action: "change",
        section: "aliases",
        name: "plank",
        fields: { device_type: { from: "board", to: "qemu" } },
      },
      {
        action: "change",
        section: "devices",
        name: "board-1",
        fields: {
          tags: { from: ["kvm"], to: ["usb", "kvm"] },
          dictionary: { from: DICTIONARY, to: `${DICTIONARY}{# new #}` },
        },
      },
    ]);
    expect((await whole()).devices!["board-1"]!.tags).toEqual(["usb", "kvm"]);
    Object.assign(device, { tags: ["kvm", "usb"] });
    expect(shortly(await plan(wanted))).toEqual([]);
  });

  test("leaves healths alone that it does not name", async () => {
    await apply(aLab());
    await lab.api("/devices/board-1/health", { body: { health: "Maintenance" } });
    expect(shortly(await apply(aLab()))).toEqual([]);
    const wanted = aLab();
    Object.assign(wanted["devices"]!["board-1"]!, { health: "Bad" });
    Object.assign(wanted["workers"]!["bench"]!, { health: "Maintenance" });
    expect(shortly(await apply(wanted))).toEqual([
      "change workers/bench",
      "change devices/board-1",
    ]);
    expect(await lab.api("/devices/board-1")).toMatchObject({ health: "Bad" });
  });

  test("removes only when asked, only in sections that are there, in the opposite order", async () => {
    await apply(aLab());
    expect(shortly(await apply({ devices: {}, workers: {} }))).toEqual([]);
    expect(shortly(await apply({}, { prune: true }))).toEqual([]);
    const empty = Object.fromEntries(Object.keys(aLab()).map((section) => [section, {}]));
    const removed = shortly(await apply(empty, { prune: true }));
    expect(removed.toSorted()).toEqual(
      ALL.map((line) => line.replace("create", "remove")).toSorted(),
    );
    const sections = removed.map((line) => line.split(/[ /]/)[1]);
    expect([...new Set(sections)]).toEqual(Object.keys(aLab()).toReversed());
    // People stay.
    expect(await whole()).toEqual({ ...empty, users: PEOPLE });
    const old = await lab.request("/devices/board-1/dictionary?version=1");
    expect(await old.text()).toBe(DICTIONARY);
  });

  test("grants what it says, leaves alone what it says nothing of, and takes back what it empties", async () => {
    await apply(aLab());
    const granting = { qemu: { permissions: { submit: ["kernel", "kernel"], view: [] } } };
    expect(shortly(await apply({ device_types: granting }))).toEqual(["change device_types/qemu"]);
    expect(shortly(await apply({ device_types: granting }))).toEqual([]);
    expect(shortly(await apply({ device_types: { qemu: {} } }))).toEqual([]);
    expect(
      (await lab.api<{ permissions: object }>("/permissions/device-type/qemu")).permissions,
    ).toEqual({
      submit: ["kernel"],
    });
    await apply({ device_types: { qemu: { permissions: {} } } });
    expect(
      (await lab.api<{ permissions: object }>("/permissions/device-type/qemu")).permissions,
    ).toEqual({});
  });

  test("sets a device's owner, group and notes, leaves alone what it says nothing of, and takes away what is empty", async () => {
    const wanted = aLab();
    const board = wanted["devices"]!["board-1"] as Record<string, unknown>;
    Object.assign(board, {
      physical_owner: "ada",
      physical_group: "kernel",
      notes: "# left shelf\n",
    });
    await apply(wanted);
    const device = () => lab.api<Record<string, unknown>>("/devices/board-1");
    expect(await device()).toMatchObject({
      physical_owner: "ada",
      physical_group: "kernel",
      notes: "# left shelf\n",
    });
    expect(shortly(await apply(wanted))).toEqual([]);
    for (const field of ["physical_owner", "physical_group", "notes"]) delete board[field];
    expect(shortly(await apply(wanted))).toEqual([]);
    Object.assign(board, { physical_owner: "", notes: "" });
    expect(shortly(await apply(wanted))).toEqual(["change devices/board-1"]);
    expect(await device()).toMatchObject({ physical_group: "kernel" });
    expect(Object.keys(await device())).not.toContain("physical_owner");
    expect(Object.keys(await device())).not.toContain("notes");
  });

  test("takes a query's conditions in either form, and says what can't be asked", async () => {
    const query = (conditions: unknown, more: object = {}) => ({
      queries: { "alice/red": { conditions, ...more } },
    });
    const condition = { table: "testjob", field: "health", operator: "exact", value: "Incomplete" };
    await apply(query("health__Incomplete"));
    expect(shortly(await apply(query([condition])))).toEqual([]);
    expect(shortly(await apply(query([{ ...condition, value: "a,b" }])))).toEqual([
      "change queries/alice/red",
    ]);
    expect((await whole()).queries!["alice/red"]!.conditions).toEqual([
      { ...condition, value: "a,b" },
    ]);
    expect(await errorsOf(query("weight__7"))).toEqual([
      expect.stringContaining("queries/alice/red/conditions: testjob has no field weight"),
    ]);
    const { warnings } = await plan(query("", { group: "nobody" }));
    expect(warnings.map(({ message }) => message)).toEqual(["there is no group nobody"]);
    expect((await refused({ queries: { alice: { conditions: "" } } }))[0]).toBe(400);
  });

  test("makes and changes people, and removes nobody", async () => {
    await apply({ users: { bob: { email: "bob@example.org" } } });
    expect(shortly(await apply({ users: { bob: { active: false } } }, { prune: true }))).toEqual([
      "change users/bob",
    ]);
    expect(await lab.api("/users/bob")).toMatchObject({ active: false, email: "bob@example.org" });
  });

  test("keeps jobs that ran on what it removes", async () => {
    const { worker_tokens } = await apply(aLab());
    await lab.sync(worker_tokens["bench"]!);
    const id = await lab.submit();
    const { start } = await lab.sync(worker_tokens["bench"]!);
    const { devices, ...rest } = aLab();
    const { "board-1": board } = devices!;
    const without = { ...rest, devices: { "board-1": board } };
    expect(await errorsOf(without, { prune: true })).toEqual([
      `devices/qemu-1/: job ${id} has it: the device can be removed when the job has ended`,
    ]);
    const moved = {
      devices: { "qemu-1": { ...(devices!["qemu-1"] as object), device_type: "board" } },
    };
    expect(await errorsOf(moved)).toEqual([
      expect.stringMatching(/^devices\/qemu-1\/device_type: job/),
    ]);
    // The other one is a health check.
    const { token } = start.find(({ job_id }) => job_id === id)!;
    await lab.finish(id, token, { result: "pass", lines: 0 });
    await apply(without, { prune: true });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", device: "qemu-1" });
  });

  test("lets a type take the name of an alias that goes, and the other way round", async () => {
    const types = { device_types: { board: {}, other: {} }, aliases: { plank: "board" } };
    await apply(types);
    const swapped = { device_types: { other: {}, plank: {} }, aliases: { board: "other" } };
    await apply(swapped, { prune: true });
    expect((await whole()).aliases).toEqual({ board: "other" });
    expect(Object.keys((await whole()).device_types!)).toEqual(["other", "plank"]);
  });

  test("schedules the jobs that waited for its devices", async () => {
    const { worker_tokens } = await apply(aLab());
    await lab.sync(worker_tokens["bench"]!);
    await lab.submit();
    const second = await lab.submit();
    const more = { "qemu-2": aLab()["devices"]!["qemu-1"]! };
    await apply({ devices: more });
    await lab.settled();
    expect(await lab.job(second)).toMatchObject({ state: "Scheduled", device: "qemu-2" });
  });
});

describe("before anything is written", () => {
  const aDevice = { device_type: "board", worker: "bench", dictionary: DICTIONARY };
  test.each<[string, (wanted: Wanted) => void, RegExp]>([
    [
      "a type that is neither named nor known",
      (wanted) => void (wanted["devices"]!["x"] = { ...aDevice, device_type: "none" }),
      /^devices\/x\/device_type: there is no device type none/,
    ],
    [
      "an alias in place of a type",
      (wanted) => void (wanted["devices"]!["x"] = { ...aDevice, device_type: "plank" }),
      /^devices\/x\/device_type: plank is an alias/,
    ],
    [
      "a worker that there is not",
      (wanted) => void (wanted["devices"]!["x"] = { ...aDevice, worker: "none" }),
      /^devices\/x\/worker: there is no worker none/,
    ],
    [
      "an alias of nothing",
      (wanted) => void (wanted["aliases"]!["x"] = "none"),
      /^aliases\/x\/: there is no device type none/,
    ],
    [
      "an alias with the name of a type",
      (wanted) => void (wanted["aliases"]!["board"] = "board"),
      /^aliases\/board\/: a device type has this name/,
    ],
    [
      "a template that is none",
      (wanted) => void (wanted["templates"]!["bad.jinja2"] = "{% if %}"),
      /^templates\/bad\.jinja2\/: /,
    ],
    [
      "a health check that is no job",
      (wanted) => void (wanted["health_checks"]!["bad"] = "job_name: x"),
      /^health_checks\/bad\/: .*missing/,
    ],
    [
      "a dictionary that does not render",
      (wanted) => void (wanted["devices"]!["x"] = { ...aDevice, dictionary: "{% extends 'x' %}" }),
      /^devices\/x\/dictionary: "x"/,
    ],
    [
      "worker settings that are no YAML",
      (wanted) => void (wanted["workers"]!["bench"] = { env: "a: [" }),
      /^workers\/bench\/env: /,
    ],
    [
      "a text that is too long",
      (wanted) => void (wanted["templates"]!["long.jinja2"] = "ü".repeat(200 * 1024)),
      /^templates\/long\.jinja2\/: a text has at most/,
    ],
  ])("%s is found", async (_, change, message) => {
    const wanted = aLab();
    change(wanted);
    expect((await errorsOf(wanted))[0]).toMatch(message);
    expect((await refused(wanted))[0]).toBe(400);
    expect(await whole()).toMatchObject({ templates: {}, workers: {}, devices: {} });
  });

  test("a dictionary is rendered with the templates that will be there, and its line is told", async () => {
    const wanted = aLab();
    wanted["devices"]!["x"] = { ...aDevice, dictionary: `${DICTIONARY}{% set x = a.b.c %}` };
    const { errors } = await plan(wanted);
    expect(errors).toMatchObject([{ section: "devices", name: "x", field: "dictionary", line: 3 }]);
  });

  test("what is only odd is a warning with its line", async () => {
    const wanted = aLab();
    wanted["devices"]!["x"] = { ...aDevice, dictionary: `${DICTIONARY}{% set memroy = 1 %}` };
    const { errors, warnings } = await plan(wanted);
    expect([errors, warnings]).toMatchObject([
      [],
      [{ section: "devices", name: "x", field: "dictionary", line: 3 }],
    ]);
  });

  test("what stays and would be without what it needs is found", async () => {
    await apply(aLab());
    const without = (section: string) => ({ [section]: {} });
    expect(await errorsOf(without("templates"), { prune: true })).toEqual([
      expect.stringMatching(
        /^devices\/board-1\/dictionary: it would no longer render: .*ours\.jinja2/,
      ),
    ]);
    expect(await errorsOf(without("workers"), { prune: true })).toEqual([
      "devices/board-1/worker: the plan removes worker bench",
      "devices/qemu-1/worker: the plan removes worker bench",
    ]);
    expect(await errorsOf(without("device_types"), { prune: true })).toEqual([
      "aliases/plank/: the plan removes device type board",
      "devices/board-1/device_type: the plan removes device type board: name it in device_types",
    ]);
  });

  test("shapes are checked with the place", async () => {
    const wanted = aLab();
    wanted["devices"]!["x"] = { device_type: "board", worker: "bench" };
    expect(await refused(wanted)).toEqual([
      400,
      expect.stringMatching(/^lab\.devices\.x: .*in its place/),
    ]);
    expect((await refused({ templates: { "../x.jinja2": "" } }))[0]).toBe(400);
    expect((await refused({ nonsense: {} }))[0]).toBe(400);
  });
});

describe("concurrently", () => {
  test("a plan that was agreed to is not applied to a lab that changed since", async () => {
    const { revision } = await plan(aLab());
    await lab.addWorker("other");
    expect(await refused(aLab(), { revision })).toEqual([
      409,
      expect.stringMatching(/has changed/),
    ]);
    expect((await whole()).templates).toEqual({});
  });

  test("a running lab does not make a plan stale", async () => {
    const { worker_tokens } = await apply(aLab());
    const { revision } = await plan(aLab());
    await lab.sync(worker_tokens["bench"]!);
    await lab.submit();
    await lab.api("/devices/board-1/health", { body: { health: "Bad" } });
    expect((await plan(aLab())).revision).toBe(revision);
  });

  test("of two that apply at once one waits for another time", async () => {
    const answers = await Promise.all([refused(aLab()), refused(aLab()), refused(aLab())]);
    const statuses = answers.map(([status]) => status).toSorted((a, b) => a - b);
    expect(statuses).toEqual([200, 409, 409]);
    expect(answers.find(([status]) => status === 409)?.[1]).toMatch(/is applying a lab just now/);
    expect(shortly(await plan(aLab()))).toEqual([]);
  });

  test("a run that was cut off is completed by the next one", async () => {
    const { table } = lab.deps;
    const transact = table.transact.bind(table);
    for (let cut = 1; ; cut++) {
      let left = cut;
      table.transact = async (operations) => {
        if (--left < 0) throw new Error("cut off");
        return transact(operations);
      };
      const [status] = await refused(aLab());
      table.transact = transact;
      if (status === 200) break;
      expect(status).toBe(500);
      lab.pass(61);
    }
    expect(shortly(await plan(aLab()))).toEqual([]);
  });
});

test("a lab larger than other bodies may be is taken", async () => {
  const text = `{# ${"x".repeat(100_000)} #}`;
  const templates = Object.fromEntries(
    Array.from({ length: 20 }, (_, n) => [`t${n}.jinja2`, text] as const),
  );
  expect((await apply({ templates })).changes).toHaveLength(20);
  expect(Object.keys((await whole()).templates!)).toHaveLength(20);
});
