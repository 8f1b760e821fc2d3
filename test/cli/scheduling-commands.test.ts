import { afterEach, beforeEach, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });

beforeEach(async () => {
  lab = await listeningLab();
  await lab.addWorker("bench");
  await lab.addDevice("qemu-01", {
    dictionary: "{% extends 'qemu.jinja2' %}",
    configuration: undefined,
  });
});
afterEach(() => lab.close());

test("devices check makes the next job a health check, and the history says who wanted it and why", async () => {
  expect(await pumice("devices", "check", "qemu-01", "--reason", "new cable")).toMatchObject({
    code: 0,
    said: "qemu-01 is Unknown, until its health check has run\n",
  });
  const { out } = await pumice("devices", "history", "qemu-01", "--limit", "1");
  expect(out).toMatch(/admin +health Good → Unknown +new cable/);
  expect(out).not.toContain("Idle");
});

test("workers maintenance, activate and retire set a worker's health, and say which devices that is about", async () => {
  const drained = await pumice("workers", "maintenance", "bench", "--reason", "power");
  expect(drained.said).toBe("bench is Maintenance: qemu-01\n");
  expect((await pumice("workers", "activate", "bench")).said).toBe("bench is Active: qemu-01\n");
  expect((await pumice("workers", "retire", "bench")).said).toBe("bench is Retired: qemu-01\n");
  const { out } = await pumice("workers", "history", "bench", "--json");
  const { changes } = JSON.parse(out) as { changes: { reason?: string }[] };
  expect(changes.map(({ reason }) => reason)).toContain("power");
});

test("jobs priority changes that of a job which waits", async () => {
  const id = await lab.submit(aJob());
  const { said } = await pumice("jobs", "priority", String(id), "high");
  expect(said).toBe(`Job ${id} has priority 100\n`);
  expect((await pumice("jobs", "priority", String(id), "101")).code).not.toBe(0);
  expect((await pumice("jobs", "priority", "one", "high")).code).toBe(2);
  expect((await pumice("jobs", "history", String(id))).out).toContain("priority 50 → 100");
});

test("jobs fail is for jobs that are Canceling", async () => {
  const id = await lab.submit(aJob());
  const { said, code } = await pumice("jobs", "fail", String(id));
  expect(code).not.toBe(0);
  expect(said).toContain("cancel it first");
});
