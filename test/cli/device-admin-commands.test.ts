import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeviceView } from "#protocol/api.ts";
import { aJob } from "../support/builders.ts";
import { cli, startCli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let dir: string;
let worker: string;
const env = () => ({ PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const pumice = (...args: string[]) => cli(args, env());
const device = () => lab.api<DeviceView>("/devices/qemu-01");

beforeEach(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-device-admin-"));
  lab = await listeningLab();
  worker = await lab.addWorker("bench");
  await lab.addWorker("shelf");
  await lab.addDevice("qemu-01");
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A job that has the device; the answer ends it. */
async function aJobThatRuns(): Promise<() => Promise<unknown>> {
  await lab.sync(worker);
  const id = await lab.submit(aJob());
  await lab.settled();
  const { start } = await lab.sync(worker);
  return async () => {
    await lab.finish(id, start[0]!.token, { result: "pass", lines: 0 });
    await lab.sync(worker);
  };
}

test("devices move gives a device another worker, and says so in its history", async () => {
  const moved = await pumice("devices", "move", "qemu-01", "shelf", "--reason", "more room");
  expect(moved).toMatchObject({ code: 0, said: "qemu-01 belongs to worker shelf\n" });
  expect((await device()).worker).toBe("shelf");
  const { out } = await pumice("devices", "history", "qemu-01", "--limit", "1");
  expect(out).toMatch(/worker bench → shelf +more room/);
  const unknown = await pumice("devices", "move", "qemu-01", "attic");
  expect(unknown.said).toContain("there is no worker attic; add it first");
});

test("devices move is refused while a job has the device, or waits for its end", async () => {
  const end = await aJobThatRuns();
  const refused = await pumice("devices", "move", "qemu-01", "shelf");
  expect(refused.code).not.toBe(0);
  expect(refused.said).toContain("job 1 has qemu-01: it can be moved when the job has ended");
  const moving = startCli(["devices", "move", "qemu-01", "shelf", "--when-idle"], env());
  await moving.shows("job 1 has qemu-01");
  await end();
  expect(await moving.ended).toBe(0);
  expect((await device()).worker).toBe("shelf");
});

test("workers maintenance --wait ends when no device has a job any more", async () => {
  const end = await aJobThatRuns();
  const draining = startCli(["workers", "maintenance", "bench", "--wait"], env());
  await draining.shows("waiting for jobs: 1 on qemu-01");
  await end();
  expect(await draining.ended).toBe(0);
  expect(draining.said).toContain("bench is empty: no device of it has a job\n");
});

test("devices set says whose a device is and keeps notes; an empty text takes it away", async () => {
  const notes = path.join(dir, "notes.md");
  writeFileSync(notes, "# Cabling\nthe <red> one\n");
  await pumice("devices", "set", "qemu-01", "--owner", "ada", "--group", "team", "--notes", notes);
  expect(await device()).toMatchObject({
    physical_owner: "ada",
    physical_group: "team",
    notes: "# Cabling\nthe <red> one\n",
  });
  await pumice("devices", "set", "qemu-01", "--owner", "");
  expect(await device()).not.toHaveProperty("physical_owner");
});

test("workers set changes description and job limit, and nothing else", async () => {
  const { said } = await pumice("workers", "set", "bench", "--job-limit", "2");
  expect(said).toBe("bench has 2 jobs at a time\n");
  expect(await lab.api("/workers/bench")).toMatchObject({ job_limit: 2, health: "Active" });
  expect((await pumice("workers", "set", "bench", "--job-limit", "many")).code).toBe(2);
});

test.each([
  ["env", "overrides: {A: b}\n"],
  ["env-dut", "overrides: {LANG: C}\n"],
  ["config", "dispatcher_ip: 10.0.0.1\n"],
])("workers %s prints, replaces and puts back a text of a worker", async (word, text) => {
  const file = path.join(dir, "text.yaml");
  writeFileSync(file, text);
  const put = await pumice("workers", word, "bench", file, "--comment", "first");
  expect(put).toMatchObject({ code: 0, said: `bench's ${word} is version 1\n` });
  expect((await pumice("workers", word, "bench")).out).toBe(text);
  writeFileSync(file, "");
  expect((await pumice("workers", word, "bench", file)).said).toBe(
    `bench's ${word} is version 2\n`,
  );
  expect((await pumice("workers", word, "bench", "--version", "1")).out).toBe(text);
  expect((await pumice("workers", word, "bench", "--versions")).out).toContain("first");
  await pumice("workers", word, "bench", "--put-back", "1");
  expect((await pumice("workers", word, "bench")).out).toBe(text);
});
