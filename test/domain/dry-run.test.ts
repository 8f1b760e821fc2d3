import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DryRun } from "#protocol/dry-run.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob, aGuestRole, aRole } from "../support/group-job.ts";

let lab: EmbeddedLab;
let worker: string;

beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
});
afterEach(() => lab.close());

const dryRun = (body = aJob(), token = lab.adminToken) =>
  lab.api<DryRun>("/jobs/dry-run", { body, token });
const fits = ({ jobs: [job] }: DryRun) =>
  job?.devices.map(({ hostname, fit, why }) => [hostname, fit, why]);

describe("a dry run", () => {
  test("says that the job would begin at once, and with what plan", async () => {
    const answer = await dryRun();
    expect(answer).toMatchObject({ accepted: true, problems: [], notes: [] });
    expect(fits(answer)).toEqual([["qemu-01", "free", undefined]]);
    const [job] = answer.jobs;
    expect(job?.waits).toMatchObject({ position: 1, ahead: 0, sure: "guess" });
    expect(job?.plan?.device).toBe("qemu-01");
    expect(job?.plan?.steps?.map(({ name }) => name)).toEqual([
      "deployimages",
      "boot-image-retry",
      "lava-test-retry",
      "finalize",
    ]);
  });

  test("stores nothing and takes no number", async () => {
    await dryRun();
    expect(await lab.api("/jobs")).toEqual({ jobs: [] });
    expect(await lab.submit()).toBe(1);
  });

  test("says of each device why it does not match", async () => {
    await lab.addDevice("b-tagged", { tags: ["hdmi"] });
    await lab.addDevice("c-busy", { tags: ["hdmi"] });
    await lab.addDevice("d-bad", { tags: ["hdmi"], health: "Bad" });
    await lab.addDevice("e-retired", { tags: ["hdmi"], health: "Retired" });
    await lab.addWorker("away");
    await lab.addDevice("f-away", { tags: ["hdmi"], worker: "away" });
    const other = aDeviceConfiguration().replace("[amd64]", "[arm64]");
    await lab.addDevice("g-other", { tags: ["hdmi"], configuration: other });
    await lab.submit(aJob({ lines: ["tags: [hdmi]", "device: c-busy"] }));
    const answer = await dryRun(aJob({ lines: ["tags: [hdmi]"] }));
    expect(answer.accepted).toBe(true);
    expect(fits(answer)).toEqual([
      ["b-tagged", "free", undefined],
      ["c-busy", "later", "busy"],
      ["d-bad", "no", "in health Bad"],
      ["f-away", "no", "on worker away, which is Offline"],
      ["g-other", "no", 'the device has no architecture "amd64"; expected one of arm64'],
      ["qemu-01", "no", "without tag hdmi"],
    ]);
  });

  test("has a plan also while the only device that could run it is out of order", async () => {
    await lab.addDevice("qemu-01", { health: "Maintenance" });
    const { accepted, jobs } = await dryRun();
    expect(accepted).toBe(true);
    expect(jobs[0]).toMatchObject({ devices: [{ fit: "no" }], plan: { device: "qemu-01" } });
    expect(jobs[0]?.plan?.steps).toHaveLength(4);
    expect(jobs[0]).not.toHaveProperty("waits");
  });

  test("of a job that is refused says why, where, and what the devices lack", async () => {
    const answer = await dryRun(aJob({ lines: ["tags: [hdmi]"] }));
    expect(answer.accepted).toBe(false);
    expect(answer.problems).toMatchObject([{ path: "tags[0]", line: 8 }]);
    expect(fits(answer)).toEqual([["qemu-01", "no", "without tag hdmi"]]);
    expect(answer.jobs[0]).not.toHaveProperty("plan");
    expect(answer.jobs[0]).not.toHaveProperty("waits");
    expect(await dryRun("job_name: [")).toMatchObject({ accepted: false, jobs: [] });
  });

  test("stands behind those with its priority or a higher one", async () => {
    for (let n = 0; n < 3; n++) await lab.submit();
    const place = async (lines: string[]) => (await dryRun(aJob({ lines }))).jobs[0]?.waits;
    // The first has the device.
    expect(await place([])).toMatchObject({ position: 3, ahead: 2 });
    expect(await place(["priority: high"])).toMatchObject({ position: 1, ahead: 0 });
  });

  test("tells what a quota has against it", async () => {
    const set = (quota: object) =>
      lab.api("/settings", {
        method: "PUT",
        body: { settings: { quotas: { users: {}, groups: {}, default: quota } } },
      });
    await set({ waiting: 0 });
    expect(await dryRun()).toMatchObject({
      accepted: false,
      problems: [],
      quota: "the quota has no place for it: user admin: 0 waiting jobs",
    });
    await set({ running: 1 });
    await lab.submit();
    await lab.sync(worker);
    expect(await dryRun()).toMatchObject({
      accepted: true,
      quota: "it would wait for a quota: user admin: 1 running job",
    });
  });

  test("shows nobody a device that they may not see", async () => {
    const { token } = await lab.addStranger("mallory");
    await lab.api("/settings", {
      method: "PUT",
      body: { settings: { access: { rule: "closed" } } },
    });
    const answer = await dryRun(aJob(), token);
    expect(answer.accepted).toBe(false);
    expect(JSON.stringify(answer)).not.toContain("qemu-01");
    expect(answer.jobs).toEqual([]);
  });

  test("of a multinode job has each role's devices and plan", async () => {
    await lab.addDevice("qemu-02");
    const ssh = "ssh: {options: [], host: dut, port: 22, user: root}";
    const configuration = aDeviceConfiguration().replaceAll(
      "methods:\n",
      `methods:\n      ${ssh}\n`,
    );
    await lab.addDevice("qemu-01", { configuration });
    const roles = { host: aRole(), client: aRole(), guest: aGuestRole(2) };
    const answer = await dryRun(aGroupJob(roles));
    expect(answer).toMatchObject({ accepted: true });
    expect(answer.jobs[0]?.waits).toEqual({ position: 1, ahead: 0 });
    const told = answer.jobs.map(({ role, count, host_role, devices, plan }) => ({
      ...{ role, count, host_role, devices: devices.length },
      plan: plan?.problem ?? plan?.steps?.map(({ strategy }) => strategy),
    }));
    const plan = ["deploy:tmpfs", "boot:qemu", "test:definition", "finalize"];
    const guestPlan = ["deploy:ssh", "boot:ssh", "test:definition", "finalize"];
    expect(told).toEqual([
      { role: "host", count: 1, host_role: undefined, devices: 2, plan },
      { role: "client", count: 1, host_role: undefined, devices: 2, plan },
      { role: "guest", count: 2, host_role: "host", devices: 0, plan: guestPlan },
    ]);
  });
});
