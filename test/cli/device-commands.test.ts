import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let dir: string;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const file = (text: string, name = "bbb-01.jinja2"): string => {
  const where = path.join(dir, name);
  writeFileSync(where, text);
  return where;
};
const dictionary = (port: number) =>
  `{% extends 'beaglebone-black.jinja2' %}\n{% set connection_command = 'telnet lab ${port}' %}\n`;
const device = ["--type", "beaglebone-black", "--worker", "bench"];

beforeEach(async () => {
  lab = await listeningLab();
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
  await lab.addWorker("bench");
  await pumice("devices", "add", "bbb-01", ...device, "--dictionary", file(dictionary(7001)));
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

test("devices add takes a dictionary", async () => {
  const again = await pumice(
    "devices",
    "add",
    "bbb-02",
    ...device,
    "--dictionary",
    file(dictionary(1)),
  );
  expect(again).toMatchObject({ code: 0, said: "Device bbb-02 is there: Good, Idle\n" });
});

test("devices config prints what the dictionary renders to, with a job's context", async () => {
  const { code, out } = await pumice("devices", "config", "bbb-01");
  expect(code).toBe(0);
  expect(out).toContain("connect: telnet lab 7001");
  const { out: json } = await pumice(
    "devices",
    "config",
    "bbb-01",
    "--json",
    "--context",
    "{boot_character_delay: 33}",
  );
  expect(JSON.parse(json)).toMatchObject({
    hostname: "bbb-01",
    version: 1,
    configuration: { character_delays: { boot: 33 } },
  });
});

test("devices config --origins says which line of which template set each value", async () => {
  const { out } = await pumice("devices", "config", "bbb-01", "--origins");
  expect(out).toMatch(
    /^commands\.connect: "telnet lab 7001" {2}# .*bbb-01\.jinja2:2 connection_command$/m,
  );
  expect(out).toMatch(/^parameters\.bootz\.dtb: "0x88000000" {2}# beaglebone-black\.jinja2:\d+ /m);
});

test("a new dictionary is a version; the history names who and why, and an old one can be put back", async () => {
  const set = await pumice(
    "devices",
    "dictionary",
    "bbb-01",
    "--set",
    file(dictionary(7002)),
    "--comment",
    "new server",
  );
  expect(set).toMatchObject({ code: 0, said: "bbb-01's dictionary is version 2\n" });
  const { out: history } = await pumice("devices", "versions", "bbb-01");
  expect(history).toMatch(/^2 +\S+Z +admin +new server$/m);
  expect(await pumice("devices", "put-back", "bbb-01", "1")).toMatchObject({
    code: 0,
    said: "bbb-01's dictionary is version 3\n",
  });
  const { out: now } = await pumice("devices", "dictionary", "bbb-01");
  expect(now).toBe(dictionary(7001));
  const { out: then } = await pumice("devices", "dictionary", "bbb-01", "--version", "2");
  expect(then).toBe(dictionary(7002));
  expect((await pumice("devices", "versions", "bbb-01")).out).toContain("back to version 1");
});

test("what is wrong with a dictionary is told as compilers do, and nothing changes", async () => {
  const bad = file("{% extends 'beaglebone-black.jinja2' %}\n{% set x = y.z %}\n");
  const { code, said } = await pumice("devices", "dictionary", "bbb-01", "--set", bad);
  expect(code).toBe(2);
  expect(said).toContain(`${bad}:2:`);
  expect((await pumice("devices", "dictionary", "bbb-01")).out).toBe(dictionary(7001));
});

test("a device wants a dictionary or a configuration, and one of them", async () => {
  const neither = await pumice("devices", "add", "x", ...device);
  expect(neither.code).toBe(2);
  expect(neither.said).toContain("--dictionary FILE, or --config FILE");
  expect((await pumice("devices", "put-back", "bbb-01", "one")).code).toBe(2);
});
