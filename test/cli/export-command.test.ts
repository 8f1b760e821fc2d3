import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let base: string;
let dir: string;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const tree = async () => (await readdir(dir, { recursive: true })).toSorted();

beforeEach(async () => {
  lab = await listeningLab();
  base = mkdtempSync(path.join(tmpdir(), "pumice-export-"));
  dir = path.join(base, "lab");
  await lab.addWorker();
  await lab.addDevice("qemu-01", { tags: ["kvm"] });
  await lab.addDevice("qemu-02", {
    configuration: undefined,
    dictionary: "{% extends 'qemu.jinja2' %}\n",
    description: "a second one: virtual",
  });
});
afterEach(async () => {
  await lab.close();
  rmSync(base, { recursive: true, force: true });
});

test("writes a lab that apply finds unchanged, and again the same bytes", async () => {
  const { code, said } = await pumice("export", dir);
  expect([code, said]).toEqual([0, `${dir}: files written: 12, removed: 0\n`]);
  expect(await tree()).toEqual([
    "aliases.yaml",
    "device-types.yaml",
    "devices",
    "devices.yaml",
    "devices/qemu-01.yaml",
    "devices/qemu-02.jinja2",
    "groups.yaml",
    "queries.yaml",
    "settings.yaml",
    "tags.yaml",
    "users.yaml",
    "windows.yaml",
    "workers.yaml",
  ]);
  expect(readFileSync(path.join(dir, "devices.yaml"), "utf8")).toBe(`qemu-01:
  device_type: qemu
  worker: bench
  tags: [kvm]
qemu-02:
  device_type: qemu
  worker: bench
  description: "a second one: virtual"
`);
  expect((await pumice("apply", "-f", dir, "--prune")).out).toContain("nothing to do");
  expect((await pumice("export", dir, "--force")).said).toBe(
    `${dir}: files written: 0, removed: 0\n`,
  );
});

test("a health that people set is written, one that comes and goes with jobs is not", async () => {
  await pumice("devices", "health", "qemu-01", "Maintenance");
  await pumice("devices", "health", "qemu-02", "Bad");
  await pumice("export", dir);
  const text = readFileSync(path.join(dir, "devices.yaml"), "utf8");
  expect(text).toContain("health: Maintenance");
  expect(text).not.toContain("Bad");
  expect((await pumice("apply", "-f", dir)).out).toContain("nothing to do");
});

test("goes into a directory with files only by force, and then removes what the lab no longer has", async () => {
  mkdirSync(dir);
  mkdirSync(path.join(dir, ".git"));
  expect((await pumice("export", dir)).code).toBe(0);
  writeFileSync(path.join(dir, "README.md"), "ours\n");
  await pumice("devices", "remove", "qemu-01");
  const refused = await pumice("export", dir);
  expect([refused.code, refused.said]).toEqual([
    2,
    expect.stringContaining("is not empty: name another directory, or give --force"),
  ]);
  expect((await pumice("export", dir, "--force")).said).toBe(
    `${dir}: files written: 1, removed: 1\n`,
  );
  expect(await tree()).not.toContain("devices/qemu-01.yaml");
  expect(await tree()).toContain("README.md");
});

test("a person who is no admin is refused, and nothing is written", async () => {
  const { token } = await lab.addUser("alice");
  const { code } = await cli(["export", dir], { PUMICE_URL: lab.url, PUMICE_TOKEN: token });
  expect(code).toBe(2);
  expect(await readdir(base)).toEqual([]);
});

test("settings are written without their defaults, and read back the same", async () => {
  await pumice("settings", "set", "scheduling.fair_share", "group");
  await pumice("settings", "set", 'quotas.users."alice@example.org".running', "2");
  await pumice("settings", "set", "quotas.groups.kernel", "{running: 4, waiting: 100}");
  await pumice("export", dir);
  expect(readFileSync(path.join(dir, "settings.yaml"), "utf8")).toBe(`quotas:
  groups:
    kernel:
      running: 4
      waiting: 100
  users:
    alice@example.org:
      running: 2
scheduling:
  fair_share: group
`);
  expect((await pumice("apply", "-f", dir, "--prune")).out).toContain("nothing to do");
  expect((await pumice("settings")).out).toContain("quotas.groups.kernel.running: 4\n");
  await pumice("settings", "set", "quotas.groups", "null");
  expect((await pumice("apply", "-f", dir, "--dry-run")).out).toContain("~ change settings quotas");
  const odd = await pumice("settings", "set", "quota.default", "{}");
  expect([odd.code, odd.said]).toEqual([2, expect.stringContaining("did you mean quotas?")]);
});

test("people, permissions, owners, notes and queries are written, and make the same lab elsewhere", async () => {
  await pumice("users", "add", "ada", "--admin", "--email", "ada@lab.test");
  await pumice("permissions", "add", "device-type", "qemu", "everyone", "submit");
  await pumice("devices", "set", "qemu-01", "--owner", "ada", "--group", "kernel");
  await lab.api("/devices/qemu-01", { method: "PATCH", body: { notes: "left shelf\n\n- 5 V\n" } });
  await pumice("queries", "add", "ada/red", "--where", "health__Incomplete", "--published");
  await pumice("export", dir);
  const text = (file: string) => readFileSync(path.join(dir, file), "utf8");
  expect(text("users.yaml")).toContain("ada:\n  admin: true\n  email: ada@lab.test\n");
  expect(text("device-types.yaml")).toBe("qemu:\n  permissions:\n    submit: [everyone]\n");
  expect(text("devices.yaml")).toContain("  physical_owner: ada\n  physical_group: kernel\n");
  expect(text("devices/qemu-01.notes.md")).toBe("left shelf\n\n- 5 V\n");
  expect(text("queries.yaml")).toBe(
    "ada/red:\n  conditions: testjob__health__exact__Incomplete\n  published: true\n",
  );
  expect((await pumice("apply", "-f", dir, "--prune")).out).toContain("nothing to do");
  const other = await listeningLab();
  try {
    const there = { PUMICE_URL: other.url, PUMICE_TOKEN: other.adminToken };
    expect((await cli(["apply", "-f", dir, "--yes"], there)).code).toBe(0);
    const copy = path.join(base, "copy");
    await cli(["export", copy], there);
    const files = (where: string) => readdir(where, { recursive: true });
    expect((await files(copy)).toSorted()).toEqual((await files(dir)).toSorted());
    for (const file of ["users.yaml", "device-types.yaml", "devices.yaml", "queries.yaml"]) {
      expect(readFileSync(path.join(copy, file), "utf8")).toBe(text(file));
    }
  } finally {
    await other.close();
  }
});

test("maintenance windows are written, and read back the same", async () => {
  const times = ["--weekly", "sat,sun@22:00", "--for", "2h", "--zone", "Europe/Berlin"];
  const added = await pumice("windows", "add", "cables", "--device", "qemu-01", ...times);
  expect(added.said).toMatch(/^cables: no job begins on device qemu-01 from .* UTC\n$/);
  const once = ["--from", "2036-12-01T22:00:00Z", "--for", "90m", "--no-drain"];
  await pumice("windows", "add", "power", "--lab", ...once, "--reason", "power: off");
  await pumice("export", dir);
  expect(readFileSync(path.join(dir, "windows.yaml"), "utf8")).toBe(`cables:
  device: qemu-01
  weekly:
    at: "22:00"
    days: [sat, sun]
    minutes: 120
    zone: Europe/Berlin
power:
  drain: false
  from: "2036-12-01T22:00:00Z"
  lab: true
  reason: "power: off"
  to: "2036-12-01T23:30:00.000Z"
`);
  expect((await pumice("apply", "-f", dir, "--prune")).out).toContain("nothing to do");
  expect((await pumice("windows")).out).toMatch(
    /power +the lab +2036-12-01 22:00 +2036-12-01 23:30/,
  );
  expect((await pumice("windows", "remove", "power")).code).toBe(0);
  const odd = await pumice("windows", "add", "odd", "--lab", "--weekly", "su@22:00", "--for", "1h");
  expect([odd.code, odd.said]).toEqual([2, expect.stringContaining("did you mean sun?")]);
});

test("a person reserves a device, makes that longer and gives it back", async () => {
  expect((await pumice("reserve", "qemu-01", "--for", "2h", "--reason", "a hunt")).out).toMatch(
    /^qemu-01 is yours until \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$/,
  );
  expect((await pumice("reserve", "--type", "qemu", "--for", "90m")).out).toContain("qemu-02 is");
  expect((await pumice("reservations", "extend", "qemu-01", "--for", "1h")).code).toBe(0);
  expect((await pumice("reservations")).out).toMatch(/qemu-01 +admin +active .* a hunt/);
  expect((await pumice("reservations", "end", "qemu-01")).code).toBe(0);
  expect(JSON.parse((await pumice("reservations", "--json")).out)).toMatchObject({
    reservations: [{ device: "qemu-02" }],
  });
  const odd = await pumice("reserve", "qemu-01", "--for", "soon");
  expect([odd.code, odd.said]).toEqual([2, expect.stringContaining("expected a time such as 90m")]);
});
