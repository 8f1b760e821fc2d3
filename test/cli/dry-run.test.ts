import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let dir: string;

beforeEach(async () => {
  lab = await listeningLab();
  await lab.sync(await lab.addWorker());
  await lab.addDevice("qemu-01");
  await lab.addDevice("qemu-02", { health: "Bad" });
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

const dryRun = (text: string, ...more: string[]) => {
  const file = path.join(dir, "job.yaml");
  writeFileSync(file, text);
  const env = { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken };
  return cli(["submit", "--dry-run", file, ...more], env);
};

test("pumice submit --dry-run says which devices match, and the plan, and submits nothing", async () => {
  const { code, out: stdout, said: stderr } = await dryRun(aJob());
  expect(code).toBe(0);
  expect(stderr).toMatch(/job\.yaml: would be accepted$/m);
  expect(stdout).toMatch(/^qemu-01 +bench +free/m);
  expect(stdout).toMatch(/^qemu-02 +bench +no +in health Bad$/m);
  expect(stdout).toMatch(/^plan on qemu-01\n1 +deployimages  \[deploy:tmpfs\]  300 s$/m);
  expect(await lab.api("/jobs")).toEqual({ jobs: [] });
});

test("pumice submit --dry-run of a job that would be refused tells where it is wrong, and exits 2", async () => {
  const { code, said: stderr } = await dryRun(aJob({ lines: ["tags: [hdmi]"] }));
  expect(code).toBe(2);
  expect(stderr).toMatch(/job\.yaml:8:\d+: tags\[0\]: no device of type qemu has tag "hdmi"/);
  expect(stderr).toMatch(/would be refused$/m);
  const { code: again, out: stdout } = await dryRun("actions: []", "--json");
  expect([again, JSON.parse(stdout)]).toMatchObject([2, { accepted: false, jobs: [] }]);
});
