import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Lab, LabApplied, LabPlan } from "#protocol/lab.ts";
import { aJob } from "../support/builders.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let base: string;
let dir: string;
const env = () => ({ PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const pumice = (...args: string[]) => cli(args, env());
const apply = (...args: string[]) => pumice("apply", "-f", dir, ...args);
const answering = (answer: () => string | Promise<string>) =>
  cli(["apply", "-f", dir], env(), answer);
const whole = () => lab.api<Lab>("/lab");

function files(texts: Record<string, string>): void {
  for (const [file, text] of Object.entries(texts)) {
    const where = path.join(dir, file);
    mkdirSync(path.dirname(where), { recursive: true });
    writeFileSync(where, text);
  }
}

const DICTIONARY = "{% extends 'ours.jinja2' %}\n{% set memory = 256 %}\n";
const LAB = {
  "devices.yaml": "qemu-01:\n  device_type: qemu\n  worker: bench\n  tags: [kvm]\n",
  "devices/qemu-01.jinja2": DICTIONARY,
  "device-types/ours.jinja2": "{% extends 'qemu.jinja2' %}\n",
  "health-checks/ours.yaml": aJob(),
  "workers.yaml": "bench:\n  job_limit: 2\n",
  "workers/bench/dispatcher.yaml": "dispatcher_ip: 192.0.2.1\n",
  "aliases.yaml": "virt: qemu\n",
  "tags.yaml": "kvm:\n  description: has KVM\n",
};

beforeEach(async () => {
  lab = await listeningLab();
  base = mkdtempSync(path.join(tmpdir(), "pumice-apply-"));
  dir = path.join(base, "lab");
  mkdirSync(dir);
  files(LAB);
});
afterEach(async () => {
  await lab.close();
  rmSync(base, { recursive: true, force: true });
});

describe("apply", () => {
  test("shows the plan, does it, prints the token of a new worker once, and then has nothing to do", async () => {
    const { code, out, said } = await apply("--yes", "-m", "from git");
    expect(code).toBe(0);
    const token = /^token of worker bench: (\S+)$/m.exec(out)?.[1] ?? "";
    expect(out.replace(token, "TOKEN")).toBe(
      `+ create template ours.jinja2
+ create health check ours
+ create device type qemu
+ create alias virt
+ create tag kvm
+ create worker bench
+ create device qemu-01
7 to create, 0 to change, 0 to remove
token of worker bench: TOKEN
`,
    );
    expect(said).toMatch(/^Applied: 7 created, 0 changed, 0 removed\nThis is the only time/);
    await lab.sync(token);
    // A device that has a health check is checked first.
    expect((await pumice("devices")).out).toMatch(/^qemu-01 +qemu +bench +Reserved +Good +1 /m);
    expect(await apply()).toEqual({
      code: 0,
      out: "The lab is as the files say: nothing to do.\n",
      said: "",
    });
    const { versions } = await lab.api<{ versions: { comment: string }[] }>(
      "/devices/qemu-01/versions",
    );
    expect(versions).toMatchObject([{ comment: "from git" }]);
  });

  test("shows what differs, texts by their lines, and removes only when it is told to prune", async () => {
    await apply("--yes");
    files({
      "devices.yaml": "qemu-01: {device_type: qemu, worker: bench, health: Maintenance}\n",
      "devices/qemu-01.jinja2": DICTIONARY.replace("256", "512"),
      "tags.yaml": "{}\n",
    });
    const { code, out } = await apply("--dry-run", "--prune");
    expect(code).toBe(0);
    expect(out).toBe(`~ change device qemu-01
    tags: [kvm] -> []
    health: Good -> Maintenance
    dictionary:
      @@ -1 +1 @@
       {% extends 'ours.jinja2' %}
      -{% set memory = 256 %}
      +{% set memory = 512 %}
- remove tag kvm
0 to create, 1 to change, 1 to remove
`);
    expect((await apply("--dry-run")).out).toContain("0 to create, 1 to change, 0 to remove");
    await apply("--yes", "--prune");
    expect(await whole()).toMatchObject({
      tags: {},
      aliases: { virt: "qemu" },
      devices: { "qemu-01": { health: "Maintenance", tags: [] } },
    });
  });

  test("asks a person, and does it only when they say yes", async () => {
    const no = await answering(() => "");
    expect([no.code, no.said]).toEqual([1, "Apply? [y/N] \nNothing was changed.\n"]);
    expect(await whole()).toMatchObject({ devices: {} });
    expect((await answering(() => "y")).code).toBe(0);
    expect(await whole()).toMatchObject({ devices: { "qemu-01": {} } });
  });

  test("when nobody can be asked it wants --yes", async () => {
    const { code, out, said } = await apply();
    expect([code, said]).toEqual([
      2,
      expect.stringContaining("give --yes to apply the plan above"),
    ]);
    expect(out).toContain("7 to create");
    expect(await whole()).toMatchObject({ devices: {} });
  });

  test("says what is wrong in the files as compilers do, and asks no server", async () => {
    files({ "devices.yaml": "qemu-01:\n  device_type: qemu\n  workr: bench\n" });
    const { code, out, said } = await cli(["apply", "-f", dir], {});
    expect([code, out]).toEqual([1, ""]);
    expect(said).toContain(
      `${dir}/devices.yaml:3:3: error: qemu-01.workr: unknown key "workr"; did you mean worker?\n`,
    );
  });

  test("says what the server finds wrong at its place in the files, and changes nothing", async () => {
    files({
      "devices.yaml": "qemu-01:\n  device_type: qemu\n  worker: bnch\n",
      "devices/qemu-01.jinja2": "{% extends 'ours.jinja2' %}\n{% if %}\n",
      "health-checks/ours.yaml": "job_name: a\n",
    });
    const { code, said } = await apply("--yes");
    expect(code).toBe(1);
    expect(said).toContain(`${dir}/devices.yaml:3:3: error: devices/qemu-01/worker: there is no`);
    expect(said).toContain(`${dir}/devices/qemu-01.jinja2:2:1: error: devices/qemu-01/dictionary:`);
    expect(said).toContain(`${dir}/health-checks/ours.yaml:1:1: error: health_checks/ours:`);
    expect(said).toContain("nothing was changed");
    expect(await whole()).toMatchObject({ devices: {} });
  });

  test("when somebody else changed the lab while the person thought, it says so and does nothing", async () => {
    const { code, said } = await answering(async () => {
      await lab.addWorker("other");
      return "yes";
    });
    expect(code).toBe(2);
    expect(said).toContain("the lab has changed since the plan was made; make a new one");
    expect(await whole()).toMatchObject({ devices: {} });
  });

  test("as JSON: the plan, what was done, and tokens that go into files", async () => {
    const dry = await apply("--json", "--dry-run");
    const plan = JSON.parse(dry.out) as LabPlan;
    expect(plan.changes).toHaveLength(7);
    const tokens = path.join(base, "tokens");
    const done = await apply("--json", "--yes", "--write-tokens", tokens);
    const applied = JSON.parse(done.out) as LabApplied;
    expect([applied.changes.length, applied.worker_tokens]).toEqual([7, {}]);
    const file = path.join(tokens, "bench.token");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await lab.sync(readFileSync(file, "utf8").trim());
    expect(JSON.parse((await apply("--json", "--yes")).out)).toEqual({
      changes: [],
      warnings: [],
      worker_tokens: {},
    });
    expect((await apply("--json")).code).toBe(2);
  });

  test("wants a directory that is one", async () => {
    expect((await pumice("apply")).said).toContain("--file DIR is missing");
    expect(await pumice("apply", "-f", path.join(base, "none"))).toMatchObject({
      code: 2,
      said: expect.stringContaining("ENOENT") as string,
    });
  });
});
