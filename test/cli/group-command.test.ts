import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cli } from "../support/cli-run.ts";
import { aGroupJob, aGuestRole, aRole, startGroup, type Member } from "../support/group-job.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let worker: string;
let dir: string;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });

beforeEach(async () => {
  lab = await listeningLab();
  worker = await lab.addWorker();
  await lab.addDevice("q1");
  dir = mkdtempSync(path.join(tmpdir(), "pumice-group-"));
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

const HOSTED = aGroupJob({
  host: aRole(1, "device_type: qemu, essential: true"),
  guest: aGuestRole(),
});

test("pumice submit prints the id of each job of a group", async () => {
  const file = path.join(dir, "group.yaml");
  writeFileSync(file, HOSTED);
  const { code, out } = await pumice("submit", file);
  expect([code, out]).toEqual([
    0,
    `Submitted job 1: ${lab.url}/jobs/1\nSubmitted job 2: ${lab.url}/jobs/2\n`,
  ]);
});

test("pumice group lists the members, by the id or the sub id of any of them", async () => {
  await startGroup(lab, HOSTED, [worker]);
  for (const id of ["1", "2", "1.1"]) {
    const { code, out } = await pumice("group", id);
    expect(code).toBe(0);
    expect(out.split("\n").map((row) => row.trim().split(/\s{2,}/))).toEqual([
      ["ID", "SUB ID", "ROLE", "STATE", "HEALTH", "DEVICE"],
      ["1", "1.0", "host (essential)", "Running", "Unknown", "q1"],
      ["2", "1.1", "guest", "Running", "Unknown", "with job 1"],
      [""],
    ]);
  }
  const { out } = await pumice("group", "1", "--json");
  expect(JSON.parse(out)).toMatchObject([
    { id: 1, role: "host" },
    { id: 2, host_job: 1 },
  ]);
});

test("pumice group of a job of none says so", async () => {
  await lab.submit();
  const { code, said } = await pumice("group", "1");
  expect([code, said]).toEqual([2, "pumice: job 1 is in no multinode group\n"]);
});

test("a sub id is good wherever a job's id is, and what is none is refused", async () => {
  await startGroup(lab, HOSTED, [worker]);
  expect((await pumice("show", "1.1")).out).toContain("guest");
  expect((await pumice("definition", "1.0")).out).toContain("target_group");
  expect((await pumice("show", "1.7")).said).toContain('there is no job "1.7"');
  expect((await pumice("show", "1.")).said).toContain("1. is no job number");
});

test("pumice watch follows one job and names the others", async () => {
  const members = (await startGroup(lab, HOSTED, [worker])) as [Member, Member];
  for (const { id, token } of members.toReversed()) {
    await lab.finish(id, token, { result: "pass", lines: 0 });
  }
  const { code, said } = await pumice("watch", "1");
  expect(code).toBe(0);
  expect(said).toContain("Job 1 is of a multinode group with 2; this follows 1 only");
});
