import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import * as v from "valibot";
import { labSchema, type Lab } from "#protocol/lab.ts";
import { userName } from "#protocol/people.ts";
import { DEVICE_HEALTHS } from "#protocol/states.ts";
import { readLabDirectory } from "../../../control-plane/cli/lab-directory/read-lab-directory.ts";
import { writeLabDirectory } from "../../../control-plane/cli/lab-directory/write-lab-directory.ts";
import { fc } from "../../support/property.ts";

let base: string;
let dir: string;
beforeEach(() => {
  base = mkdtempSync(path.join(tmpdir(), "pumice-lab-files-"));
  dir = path.join(base, "lab");
  mkdirSync(dir);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function files(texts: Record<string, string>): void {
  for (const [file, text] of Object.entries(texts)) {
    const where = path.join(dir, file);
    mkdirSync(path.dirname(where), { recursive: true });
    writeFileSync(where, text);
  }
}
const problems = () =>
  readLabDirectory(dir).problems.map(
    ({ file, line, column, path: where, message }) =>
      `${file}:${line}:${column}: ${where ? `${where}: ` : ""}${message}`,
  );
const tree = async () =>
  (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)))
    .toSorted();

/** Without what is undefined. */
const plain = (lab: Lab) => JSON.parse(JSON.stringify(lab)) as Lab;
const withoutReserved = <T>(users: Record<string, T>) =>
  Object.fromEntries(Object.entries(users).filter(([name]) => v.is(userName, name)));

const DICTIONARY = "{% extends 'qemu.jinja2' %}\n";
const SMALL = {
  "devices.yaml": "qemu-01:\n  device_type: qemu\n  worker: bench\n",
  "devices/qemu-01.jinja2": DICTIONARY,
};

describe("reading", () => {
  test("gives each section what its files have, and no section that has none", () => {
    files({
      "devices.yaml":
        "qemu-01: {device_type: qemu, worker: bench, tags: [kvm], health: Maintenance}\nssh-01: {device_type: ssh, worker: bench}\n",
      "devices/qemu-01.jinja2": DICTIONARY,
      "devices/ssh-01.yaml": "actions: {}\n",
      "workers.yaml": "bench: {job_limit: 2}\nother:\n",
      "workers/bench/dispatcher.yaml": "dispatcher_ip: 192.0.2.1\n",
      "workers/bench/env-dut.yaml": "purge: false\n",
      "device-types.yaml": "qemu:\n",
      "aliases.yaml": "virt: qemu\n",
      "tags.yaml": "kvm: {description: has KVM}\nusb:\n",
      "device-types/ours.jinja2": DICTIONARY,
      "README.md": "our lab\n",
      ".git/config": "[core]\n",
    });
    const { lab, problems: found } = readLabDirectory(dir);
    expect(found).toEqual([]);
    expect(lab).toMatchObject({
      devices: {
        "qemu-01": { health: "Maintenance", tags: ["kvm"], dictionary: DICTIONARY },
        "ssh-01": { configuration: "actions: {}\n" },
      },
      workers: {
        bench: {
          job_limit: 2,
          dispatcher: "dispatcher_ip: 192.0.2.1\n",
          env_dut: "purge: false\n",
        },
        other: {},
      },
      device_types: { qemu: {} },
      aliases: { virt: "qemu" },
      tags: { kvm: { description: "has KVM" }, usb: { description: "" } },
      templates: { "ours.jinja2": DICTIONARY },
    });
    expect(Object.keys(lab ?? {})).not.toContain("groups");
    expect(Object.keys(lab ?? {})).not.toContain("health_checks");
  });

  test("an empty file is an empty section, as is a folder that git keeps", () => {
    files({ "tags.yaml": "# none\n", "health-checks/.gitkeep": "" });
    expect(readLabDirectory(dir).lab).toEqual({ tags: {}, health_checks: {} });
  });

  test("says everything that is wrong at once, with file, line and the nearest known name", () => {
    files({
      "devices.yaml":
        "qemu-01:\n  device_type: qemu\n  workr: bench\nqemu-02:\n  device_type: qemu\n  worker: bench\n  health: Mantenance\n",
      "devices/qemu-01.jinja2": DICTIONARY,
      "devices/qemu-02.j2": DICTIONARY,
      "workers.yaml": "bench: {job_limit: many}\n",
      "alias.yaml": "a: b\n",
      "tags.yaml": "a b: {}\n",
      "groups.yaml": "kernel: [\n",
      "health-checks/bad name.yaml": "",
    });
    expect(problems().toSorted()).toEqual([
      "alias.yaml:1:1: a lab has no such file: did you mean aliases.yaml?",
      'devices.yaml:1:1: qemu-01.worker: the key "worker" is missing',
      'devices.yaml:3:3: qemu-01.workr: unknown key "workr"; did you mean worker?',
      "devices.yaml:4:1: qemu-02: expected its dictionary in devices/qemu-02.jinja2, or its configuration in devices/qemu-02.yaml",
      'devices.yaml:7:3: qemu-02.health: expected Good, Unknown, Looping, Bad, Maintenance, Retired; did you mean Maintenance?, found "Mantenance"',
      "devices/qemu-02.j2:1:1: a lab has no such file: expected devices/HOST.jinja2, or HOST.yaml for a plain configuration",
      expect.stringMatching(/^groups\.yaml:\d+:\d+: this is not YAML/),
      'health-checks/bad name.yaml:1:1: expected a name of letters, digits, `.`, `_` and `-`, found "bad name"',
      "tags.yaml:1:1: a b: expected a tag of letters, digits, `.`, `_` and `-`",
      'workers.yaml:1:9: bench.job_limit: expected a whole number, found "many"',
    ]);
  });

  test("a dictionary or a worker's file that belongs to nobody says what to write", () => {
    files({ ...SMALL, "devices/qemu-02.jinja2": "", "workers/bench/env.yaml": "" });
    expect(problems()).toEqual([
      "devices/qemu-02.jinja2:1:1: devices.yaml has no qemu-02: write `qemu-02: {device_type: TYPE, worker: WORKER}` into it, or remove this file",
      "workers/bench/env.yaml:1:1: workers.yaml has no bench: write `bench: {}` into it, or remove this file",
    ]);
  });

  test("a device with two texts is told which files they are", () => {
    files({ ...SMALL, "devices/qemu-01.yaml": "" });
    expect(problems()).toEqual([
      "devices.yaml:1:1: qemu-01: it has a dictionary and a configuration: remove devices/qemu-01.jinja2 or devices/qemu-01.yaml",
    ]);
  });

  test("nothing outside of the directory is read, whatever links say", () => {
    writeFileSync(path.join(base, "secret"), "token\n");
    mkdirSync(path.join(base, "elsewhere"));
    files({ ...SMALL, "devices/.keep": "" });
    rmSync(path.join(dir, "devices/qemu-01.jinja2"));
    symlinkSync(path.join(base, "secret"), path.join(dir, "devices/qemu-01.jinja2"));
    symlinkSync(path.join(base, "elsewhere"), path.join(dir, "device-types"));
    symlinkSync("devices.yaml", path.join(dir, "tags.yaml"));
    const link = "it is a link that leads out of the directory: put the file itself here";
    expect(problems()).toEqual(
      expect.arrayContaining([`device-types:1:1: ${link}`, `devices/qemu-01.jinja2:1:1: ${link}`]),
    );
    expect(problems().join("\n")).not.toContain("token");
  });

  test("files are bounded and text", () => {
    files({ ...SMALL, "device-types/big.jinja2": "x".repeat(300_000) });
    files({ "device-types/huge.jinja2": "x".repeat(2_000_000) });
    writeFileSync(path.join(dir, "device-types/bytes.jinja2"), Buffer.from([0x80]));
    mkdirSync(path.join(dir, "device-types/folder.jinja2"));
    expect(problems()).toEqual([
      "device-types/big.jinja2:1:1: expected at most 262144 characters",
      "device-types/bytes.jinja2:1:1: it is not UTF-8 text",
      "device-types/folder.jinja2:1:1: expected a file",
      "device-types/huge.jinja2:1:1: it is too long: at most 1048576 bytes are read",
    ]);
  });

  test("a directory without a lab is no empty lab", () => {
    files({ "README.md": "" });
    expect(problems()).toEqual([expect.stringMatching(/^\.:1:1: there is no lab here: expected /)]);
    expect(() => readLabDirectory(path.join(dir, "none"))).toThrow("ENOENT");
  });

  test("a remark of the server is placed in the text it is about, or where the name stands", () => {
    files({ ...SMALL, "workers.yaml": "a:\nbench:\n", "workers/bench/env.yaml": "" });
    const { placeOf } = readLabDirectory(dir);
    expect([
      placeOf({ section: "devices", name: "qemu-01", field: "dictionary", line: 7 }),
      placeOf({ section: "devices", name: "qemu-01", field: "worker" }),
      placeOf({ section: "workers", name: "bench", field: "" }),
      placeOf({ section: "workers", name: "bench", field: "env", line: 2 }),
      placeOf({ section: "health_checks", name: "qemu", field: "", line: 3 }),
    ]).toEqual([
      { file: "devices/qemu-01.jinja2", line: 7, column: 1 },
      { file: "devices.yaml", line: 3, column: 3 },
      { file: "workers.yaml", line: 2, column: 1 },
      { file: "workers/bench/env.yaml", line: 2, column: 1 },
      { file: "health-checks/qemu.yaml", line: 3, column: 1 },
    ]);
  });
});

describe("writing", () => {
  const lab: Lab = {
    devices: {
      "qemu-02": {
        device_type: "qemu",
        worker: "bench",
        tags: ["usb", "kvm"],
        description: "the second",
        dictionary: DICTIONARY,
      },
      "10": { device_type: "yes", worker: "bench", tags: [], description: "", configuration: "" },
    },
    workers: {
      bench: { description: "", job_limit: 0, dispatcher: "a: 1\n", env: "", env_dut: "" },
    },
    tags: {},
  };

  test("is sorted, quotes what YAML would take for something else, and leaves defaults out", async () => {
    writeLabDirectory(dir, lab);
    expect(await tree()).toEqual([
      "devices.yaml",
      "devices/10.yaml",
      "devices/qemu-02.jinja2",
      "tags.yaml",
      "workers.yaml",
      "workers/bench/dispatcher.yaml",
    ]);
    expect(readFileSync(path.join(dir, "devices.yaml"), "utf8")).toBe(
      `"10":
  device_type: "yes"
  worker: bench
qemu-02:
  device_type: qemu
  worker: bench
  tags: [kvm, usb]
  description: the second
`,
    );
    expect(readFileSync(path.join(dir, "workers.yaml"), "utf8")).toBe("bench: {}\n");
    expect(readFileSync(path.join(dir, "tags.yaml"), "utf8")).toBe("{}\n");
  });

  test("again writes nothing; what the lab no longer has goes, what is not the lab's stays", async () => {
    files({ "README.md": "ours\n", "groups.yaml": "kernel:\n", "jobs/smoke.yaml": "" });
    writeLabDirectory(dir, lab);
    expect(writeLabDirectory(dir, lab)).toEqual({ written: 0, removed: 0 });
    const { "qemu-02": device, ...devices } = lab.devices!;
    const less = { devices: { ...devices, "qemu-03": device! }, workers: {} };
    expect(writeLabDirectory(dir, less)).toEqual({ written: 3, removed: 2 });
    expect(await tree()).toEqual([
      "README.md",
      "devices.yaml",
      "devices/10.yaml",
      "devices/qemu-03.jinja2",
      "groups.yaml",
      "jobs/smoke.yaml",
      "tags.yaml",
      "workers.yaml",
    ]);
  });

  test("writes where it was told to, not where a link leads", async () => {
    mkdirSync(path.join(base, "elsewhere"));
    writeFileSync(path.join(base, "elsewhere/tags.yaml"), "mine\n");
    symlinkSync(path.join(base, "elsewhere/tags.yaml"), path.join(dir, "tags.yaml"));
    writeLabDirectory(dir, { tags: {} });
    expect(readFileSync(path.join(base, "elsewhere/tags.yaml"), "utf8")).toBe("mine\n");
    symlinkSync(path.join(base, "elsewhere"), path.join(dir, "devices"));
    expect(() => writeLabDirectory(dir, lab)).toThrow("expected a folder, and no link");
    expect(await readdir(path.join(base, "elsewhere"))).toEqual(["tags.yaml"]);
  });

  test("whatever a lab has, reading its files gives it back", () => {
    const name = fc.oneof(
      fc.stringMatching(/^[A-Za-z0-9][\w.-]{0,12}$/),
      fc.constantFrom("y", "1e3", "null", "0x1F", "2001-01-01"),
    );
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "a: b",
        "- a",
        "a #b",
        "no",
        "1:30",
        "~",
        "'",
        '"',
        " a ",
        "a\r\nb\n",
        "{a",
        "a'",
      ),
    );
    const body = text.filter((one) => Buffer.from(one).toString() === one);
    const tags = fc.uniqueArray(fc.stringMatching(/^[\w.-]{1,9}$/)).map((all) => all.toSorted());
    const record = <T>(value: fc.Arbitrary<T>) =>
      fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true });
    const grants = fc.constantFrom(
      undefined,
      { submit: ["everyone"] },
      { view: ["anonymous", "no"], admin: ["user:ada@lab.test"] },
    );
    const device = {
      device_type: name,
      worker: name,
      tags,
      description: text,
      health: fc.constantFrom(undefined, ...DEVICE_HEALTHS),
      physical_owner: fc.constantFrom(undefined, "ada", "no"),
      notes: fc.option(body, { nil: undefined }),
      permissions: grants,
    };
    const labs = fc.record({
      devices: record(
        fc.oneof(
          fc.record({ ...device, dictionary: body }),
          fc.record({ ...device, configuration: body }),
        ),
      ),
      workers: record(
        fc.record({
          description: text,
          job_limit: fc.nat(),
          dispatcher: body,
          env: body,
          env_dut: body,
        }),
      ),
      device_types: record(
        fc.record({
          description: text,
          display: fc.boolean(),
          health_frequency: fc.nat(),
          health_denominator: fc.constantFrom("hours" as const, "jobs" as const),
          health_disabled: fc.boolean(),
          retry_on: fc.constantFrom("infrastructure" as const, undefined),
        }),
      ),
      users: record(
        fc.record({
          admin: fc.constantFrom(undefined, true),
          active: fc.constantFrom(undefined, false),
          email: fc.constantFrom(undefined, "ada@lab.test"),
          full_name: fc.constantFrom(undefined, "Ada: no"),
        }),
      ).map(withoutReserved),
      queries: fc
        .dictionary(
          fc.constantFrom("ada/one", "bob/two"),
          fc.record({
            description: fc.constantFrom("", "a: b"),
            entity: fc.constantFrom("testjob" as const, "testcase" as const),
            limit: fc.constantFrom(200, 7),
            published: fc.boolean(),
            group: fc.constantFrom(undefined, "kernel"),
            conditions: fc.oneof(
              fc.constant("health__Incomplete,priority__gt__5"),
              fc.constant([
                {
                  table: "metadata" as const,
                  field: "a, b",
                  operator: "ne" as const,
                  value: "c\u2028",
                },
              ]),
            ),
          }),
          { noNullPrototype: true },
        )
        .map((all) => ({ ...all })),
      aliases: record(name),
      tags: record(fc.record({ description: text })),
      groups: record(
        fc.record({ description: text, members: fc.constantFrom([], ["alice", "bob@lab.test"]) }),
      ),
    });
    fc.assert(
      fc.property(labs, (one) => {
        rmSync(dir, { recursive: true, force: true });
        const wanted = v.parse(labSchema, one);
        writeLabDirectory(dir, wanted);
        const { lab: read, problems: found } = readLabDirectory(dir);
        expect(found).toEqual([]);
        expect(plain(v.parse(labSchema, read))).toEqual(plain(wanted));
      }),
      { numRuns: 50 },
    );
  });
});
