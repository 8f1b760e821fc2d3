import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceConfig } from "#protocol/lab.ts";
import { aJob } from "../../support/builders.ts";
import { cli } from "../../support/cli-run.ts";
import { listeningLab } from "../../support/listening-lab.ts";
import {
  aFault,
  aFile,
  anAnswer,
  LAVA_TOKEN,
  LAVA_USER,
  recordedLava,
  type RecordedLava,
} from "../../support/recorded-lava.ts";

let lava: RecordedLava;
let base: string;
let dir: string;
const env = { PUMICE_LAVA_TOKEN: LAVA_TOKEN };
const importLava = (...args: string[]) =>
  cli(["import", "lava", "--url", lava.url, "--username", LAVA_USER, "--out", dir, ...args], env);
const read = (file: string) => readFileSync(path.join(dir, file), "utf8");
const tree = async () =>
  (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)))
    .toSorted();

beforeEach(async () => {
  lava = await recordedLava();
  lava.answers.set(
    "scheduler.device_types.get_health_check pumice-board",
    aFile(aJob({ deviceType: "pumice-board" })),
  );
  base = mkdtempSync(path.join(tmpdir(), "pumice-import-"));
  dir = path.join(base, "lab");
});
afterEach(async () => {
  await lava.close();
  rmSync(base, { recursive: true, force: true });
});

describe("import lava", () => {
  test("writes what LAVA has as files: only templates of its own, no token, no default", async () => {
    const { code, out, said } = await importLava();
    expect(code).toBe(0);
    expect(out).toBe(
      `${dir}: devices: 5, device types: 3, templates: 2, workers: 2, tags: 2, aliases: 1, health checks: 1; files written: 16, removed: 0\n`,
    );
    expect(said).toMatch(/^LAVA 2023\.01 at http:.*\/RPC2\n/);
    expect(await tree()).toEqual([
      "aliases.yaml",
      "device-types.yaml",
      "device-types/own-base.jinja2",
      "device-types/pumice-board.jinja2",
      "devices.yaml",
      "devices/pumice-b1.jinja2",
      "devices/pumice-bad.jinja2",
      "devices/pumice-loop.jinja2",
      "devices/pumice-maint.jinja2",
      "devices/qemu-01.jinja2",
      "health-checks/pumice-board.yaml",
      "tags.yaml",
      "workers.yaml",
      "workers/w1/dispatcher.yaml",
      "workers/w1/env-dut.yaml",
      "workers/w1/env.yaml",
    ]);
    expect(read("device-types.yaml")).toBe(`pumice-board:
  health_frequency: 5
  health_denominator: jobs
  description: Board of Pumice's test
pumice-hidden:
  display: false
  description: hidden one
qemu: {}
`);
    expect(read("workers.yaml")).toBe(`pumice-w2:
  health: Maintenance
  job_limit: 3
  description: "second <worker> & co"
w1:
  description: loopback worker
`);
    expect(read("aliases.yaml")).toBe("pumice-plank: pumice-board\n");
    expect(read("devices/pumice-b1.jinja2")).toBe(
      "{% extends 'pumice-board.jinja2' %}\n{% set no_kvm = True %}\n",
    );
    for (const file of await tree()) expect(read(file)).not.toContain("a-secret-of-lava");
    expect(lava.calls).not.toContain("scheduler.device_types.get_template qemu");
    expect(lava.calls).not.toContain("scheduler.workers.get_env pumice-w2");
  });

  test("says what it could not bring over, and why", async () => {
    const { said } = await importLava();
    expect(said).toContain("warning: devices/pumice-unknown: left out: no dictionary was found\n");
    expect(said).toContain("warning: devices/pumice-bad: is Bad, and each apply makes it so again");
    expect(said).toContain("warning: templates/own-base.jinja2: brought over as");
    expect(said).toContain("warning: tags/odd tag: left out: expected a tag of letters");
    expect(said).toContain("Not brought over, as LAVA's API does not tell them: users, members");
  });

  test("what it writes is applied to a fresh Pumice, renders there, and needs no second apply", async () => {
    await importLava();
    const lab = await listeningLab();
    try {
      const pumice = (...args: string[]) =>
        cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
      expect((await pumice("apply", "-f", dir, "--yes")).said).toContain("Applied: 16 created");
      const { configuration } = await lab.api<DeviceConfig>("/devices/pumice-b1/config");
      expect(configuration).toMatchObject({ actions: { boot: { methods: { qemu: {} } } } });
      expect((await pumice("devices")).out).toMatch(
        /^pumice-b1 +pumice-board +w1 +Idle +Bad +pumice-kvm, pumice-new$/m,
      );
      expect((await pumice("apply", "-f", dir, "--prune")).out).toContain("nothing to do");
    } finally {
      await lab.close();
    }
  });

  test("brings permissions of devices and device types with their groups, as its REST API tells a superuser", async () => {
    const listed = (...results: object[]) =>
      JSON.stringify({ count: results.length, next: null, previous: null, results });
    lava.answers.set(
      "GET /permissions/devices/",
      listed(
        { id: 1, group: "kernel", permission: "submit_to_device", device: "qemu-01" },
        { id: 2, group: "kernel", permission: "change_device", device: "qemu-01" },
        { id: 3, group: "infra", permission: "submit_to_device", device: "qemu-01" },
        { id: 4, group: "infra", permission: "delete_device", device: "qemu-01" },
        { id: 5, group: "two words", permission: "view_device", device: "qemu-01" },
        { id: 6, group: "kernel", permission: "view_device", device: "not-here" },
        // What every object has is no device.
        { id: 7, group: "evil", permission: "view_device", device: "__proto__" },
      ),
    );
    lava.answers.set(
      "GET /permissions/devicetypes/",
      listed({ id: 1, group: "kernel", permission: "view_devicetype", devicetype: "qemu" }),
    );
    lava.answers.set(
      "GET /devices/",
      listed(
        { hostname: "qemu-01", physical_owner: 7, physical_group: null },
        { hostname: "pumice-b1", physical_owner: "ada", physical_group: "infra" },
      ),
    );
    const { code, said } = await importLava();
    expect(code).toBe(0);
    expect(read("device-types.yaml")).toContain("qemu:\n  permissions:\n    view: [kernel]\n");
    expect(read("devices.yaml")).toContain(
      "  permissions:\n    change: [kernel]\n    submit: [infra, kernel]\n",
    );
    expect(read("devices.yaml")).toContain("  physical_owner: ada\n  physical_group: infra\n");
    expect(read("groups.yaml")).toBe("infra: {}\nkernel: {}\n");
    for (const told of [
      "groups/infra, kernel: made without members",
      'devices/qemu-01: left out: permission delete_device of group "infra"',
      'devices/qemu-01: left out: permission view_device of group "two words"',
      "devices/qemu-01: its physical_owner is number 7 of that LAVA",
    ]) {
      expect(said).toContain(told);
    }
  });

  test("says that only a superuser is told permissions, and brings the rest", async () => {
    lava.answers.set("GET /permissions/devices/", (response) =>
      response
        .writeHead(403)
        .end('{"detail":"You do not have permission to perform this action."}'),
    );
    const { code, said } = await importLava();
    expect(code).toBe(0);
    expect(said).toContain(
      "/permissions/devices/ can't be read (HTTP 403): it tells them to superusers only",
    );
    expect(await tree()).not.toContain("groups.yaml");
  });

  test("what LAVA does not let this user see is a warning, not the end", async () => {
    const { answers } = lava;
    answers.set("scheduler.devices.get_dictionary qemu-01", aFault(403, "not permitted"));
    answers.set("scheduler.workers.get_env w1", aFault(403, "not permitted"));
    answers.set("scheduler.device_types.show qemu", aFault(404, "not found"));
    answers.set(
      "scheduler.aliases.list",
      aFault(-32601, "No such method: 'scheduler.aliases.list'"),
    );
    const { code, said } = await importLava();
    expect(code).toBe(0);
    expect(said).toContain("devices/qemu-01: its dictionary can't be read: not permitted\n");
    expect(said).toContain("workers/w1: env.yaml can't be read: not permitted\n");
    expect(said).toContain(
      "device-types/qemu: left out: that LAVA does not show it to this user\n",
    );
    expect(said).toContain("aliases: the list can't be read: No such method");
    expect(await tree()).not.toContain("devices/qemu-01.jinja2");
  });

  test("names that would be paths are left out", async () => {
    const evil = "../../evil";
    lava.answers.set(
      "scheduler.devices.list",
      anAnswer(
        `<array><data><value><struct><member><name>hostname</name><value><string>${evil}</string></value></member></struct></value></data></array>`,
      ),
    );
    const show = `scheduler.devices.show qemu-01`;
    const recorded = JSON.parse(
      readFileSync(path.join(import.meta.dirname, "recorded-lava.json"), "utf8"),
    ) as Record<string, string>;
    lava.answers.set(`scheduler.devices.show ${evil}`, recorded[show] ?? "");
    lava.answers.set(
      `scheduler.devices.get_dictionary ${evil}`,
      aFile("{% extends '../x.jinja2' %}"),
    );
    const { said } = await importLava();
    expect(said).toContain(`devices/${evil}: left out: expected a name of letters`);
    expect(await readdir(base)).toEqual(["lab"]);
  });

  test("a token that is wrong, another server or a redirect end it with a sentence, and nothing is written", async () => {
    const said = async (...args: string[]) => {
      const run = await importLava(...args);
      expect(run.code).toBe(2);
      return run.said;
    };
    expect(await said("--token", "wrong")).toContain(
      "HTTP 401 Invalid token (are user and token right, and of this LAVA?)",
    );
    lava.answers.set("system.version", "<html>hello</html>");
    expect(await said()).toContain("is no LAVA: expected <methodResponse>, found <html>");
    lava.answers.set("system.version", (response) => {
      response.writeHead(301, { location: "https://elsewhere.test/RPC2" }).end();
    });
    expect(await said()).toContain(
      "sends on to https://elsewhere.test/RPC2: give the address that answers, with --url",
    );
    expect(await readdir(base)).toEqual([]);
  });

  test("user and token may stand in the address, as lavacli has them, and are not printed", async () => {
    const url = lava.url.replace("://", `://${LAVA_USER}:${LAVA_TOKEN}@`);
    const { code, out, said } = await cli(
      ["import", "lava", "--url", `${url}/RPC2`, "--out", dir],
      {},
    );
    expect(code).toBe(0);
    expect(out + said).not.toContain(LAVA_TOKEN);
    const missing = await cli(["import", "lava", "--url", lava.url], {});
    expect([missing.code, missing.said]).toEqual([2, expect.stringContaining("--username")]);
    const noToken = await cli(["import", "lava", "--url", lava.url, "--username", "a"], {});
    expect(noToken.said).toContain("set PUMICE_LAVA_TOKEN");
  });

  test("goes into a directory with files only by force", async () => {
    await importLava();
    writeFileSync(path.join(dir, "devices/gone.jinja2"), "");
    expect((await importLava()).said).toContain("is not empty");
    expect((await importLava("--force")).out).toContain("files written: 0, removed: 1\n");
  });
});
