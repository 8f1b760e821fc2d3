import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobView, Problem, SubmitResponse } from "#protocol/api.ts";
import type { Queue } from "#protocol/queue.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import type { ChangeRecord } from "../../control-plane/domain/changes.ts";
import { textKey } from "../../control-plane/domain/keys.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob, aGuestRole, aRole, startGroup } from "../support/group-job.ts";
import { groupSteps } from "../support/group-steps.ts";

let lab: EmbeddedLab;
let bench: string;
beforeEach(async () => {
  lab = await embeddedLab();
  bench = await lab.addWorker();
});
afterEach(() => lab.close());

const BBB = "device_type: bbb";
const addBbb = (hostname: string, more: object = {}) =>
  lab.addDevice(hostname, { device_type: "bbb", ...more });
const { states, device, setHealth, submitGroup, occupy } = groupSteps(() => ({ lab, bench }));

describe("a group whose devices are all idle", () => {
  test("begins in one transaction, of several device types, on several workers", async () => {
    await lab.addDevice("q1");
    const other = await lab.addWorker("other");
    await addBbb("b1", { worker: "other" });
    const roles = { server: aRole(), client: aRole(1, BBB) };
    const members = await startGroup(lab, aGroupJob(roles), [bench, other]);
    expect(members.every(({ token }) => token !== "")).toBe(true);
    expect(await lab.job(1)).toMatchObject({ state: "Running", device: "q1", worker: "bench" });
    expect(await lab.job(2)).toMatchObject({ state: "Running", device: "b1", worker: "other" });
    expect(await device("b1")).toMatchObject({ state: "Running", current_job: 2 });
    // Of what each job's history has, the assignment is of one moment.
    const changes = await lab.deps.table.query<{ name: string; reason?: string }>(
      "main",
      "changes#job#2",
      {},
    );
    expect(changes.items.map(({ data }) => data)).toContainEqual(
      expect.objectContaining({ changed: { state: ["Submitted", "Scheduled"] } }),
    );
  });

  test("gets the devices that its tags and pins leave, whatever the order they stand in", async () => {
    await lab.addDevice("q1", { tags: ["usb"] });
    await lab.addDevice("q2");
    await lab.sync(bench);
    // The first role could take either device, the second only q1.
    const roles = { any: aRole(), usb: aRole(1, "device_type: qemu, tags: [usb]") };
    await submitGroup(aGroupJob(roles));
    expect((await lab.job(1)).device).toBe("q2");
    expect((await lab.job(2)).device).toBe("q1");
  });

  test("runs its dynamic roles beside their host, with a ticket that has no device", async () => {
    await lab.addDevice("q1");
    await lab.sync(bench);
    await submitGroup(aGroupJob({ host: aRole(), guest: aGuestRole(2) }));
    const { start } = await lab.sync(bench);
    expect(start.map(({ job_id, device_hostname }) => [job_id, device_hostname])).toEqual([
      [1, "q1"],
      [2, ""],
      [3, ""],
    ]);
    const guest = start[1]!;
    expect(guest.device_type).toBe("qemu");
    expect(readYaml(guest.device).value).toEqual({
      parameters: {},
      constants: {
        "kernel-start-message": "",
        "default-shell-prompt": "lava-test: # ",
      },
      timeouts: { actions: {}, connections: {} },
      actions: {
        deploy: { methods: { image: { parameters: { guest: expect.anything() as unknown } } } },
        boot: { methods: { qemu: { parameters: expect.anything() as unknown } } },
      },
    });
    const runners = start.map(({ job_id }) => ({
      job_id,
      state: "running" as const,
      log_lines: 0,
    }));
    await lab.sync(bench, runners);
    expect(await states(1, 2, 3)).toEqual(["Running", "Running", "Running"]);
    const done = await lab.finish(2, guest.token, { result: "pass", lines: 0 });
    expect(done.status).toBe(200);
    expect((await lab.sync(bench, runners)).cancel).toEqual([2]);
    expect((await device("q1")).current_job).toBe(1);
  });

  test("begins within a worker's job limit or not at all; guests need no place of their own", async () => {
    const narrow = await lab.addWorker("narrow", 1);
    await lab.addDevice("n1", { worker: "narrow" });
    await lab.addDevice("n2", { worker: "narrow" });
    await lab.sync(narrow);
    await submitGroup();
    expect(await states(1, 2)).toEqual(["Submitted", "Submitted"]);
    await submitGroup(aGroupJob({ host: aRole(), guest: aGuestRole(2) }));
    expect(await states(3, 4, 5)).toEqual(["Scheduled", "Scheduled", "Scheduled"]);
  });

  test("leaves a place on its worker free when a guest ends, and the next job has it at once", async () => {
    const narrow = await lab.addWorker("narrow", 2);
    await lab.addDevice("n1", { worker: "narrow" });
    await lab.addDevice("n2", { worker: "narrow" });
    await lab.sync(narrow);
    await submitGroup(aGroupJob({ host: aRole(), guest: aGuestRole(1) }));
    const { start } = await lab.sync(narrow);
    const guest = start.find(({ job_id }) => job_id === 2)!;
    await lab.sync(
      narrow,
      [1, 2].map((job_id) => ({ job_id, state: "running" as const })),
    );
    const next = await lab.submit(aJob());
    await lab.settled();
    expect(await states(next)).toEqual(["Submitted"]);
    await lab.finish(2, guest.token, { result: "pass", lines: 0 });
    await lab.settled();
    expect(await states(next)).toEqual(["Scheduled"]);
  });
});

describe("a group that lacks a device", () => {
  test("holds none meanwhile, and begins when the last one comes, of whichever type", async () => {
    for (const name of ["q1", "q2"]) await lab.addDevice(name);
    await addBbb("b1");
    await lab.sync(bench);
    await setHealth("b1", "Maintenance");
    await submitGroup(aGroupJob({ server: aRole(2), client: aRole(1, BBB) }));
    expect(await states(1, 2, 3)).toEqual(["Submitted", "Submitted", "Submitted"]);
    expect(await device("q1")).toMatchObject({ state: "Idle" });
    await setHealth("b1", "Good");
    expect(await states(1, 2, 3)).toEqual(["Scheduled", "Scheduled", "Scheduled"]);
  });

  test("has what it could use kept from less urgent jobs, so that they never starve it", async () => {
    for (const name of ["q1", "q2"]) await lab.addDevice(name);
    await lab.sync(bench);
    const end = await occupy("q1");
    const group = await submitGroup();
    const later = await lab.submit();
    expect(await states(...group, later)).toEqual(["Submitted", "Submitted", "Submitted"]);
    expect(await device("q2")).toMatchObject({ state: "Idle" });
    await end();
    expect(await states(...group, later)).toEqual(["Scheduled", "Scheduled", "Submitted"]);
  });

  test("and is canceled while it waits leaves what was kept for it to the next at once", async () => {
    for (const name of ["q1", "q2"]) await lab.addDevice(name);
    await lab.sync(bench);
    await occupy("q1");
    const group = await submitGroup();
    const later = await lab.submit();
    expect(await states(later)).toEqual(["Submitted"]);
    await lab.api(`/jobs/${group[0]}/cancel`, { body: {} });
    await lab.settled();
    expect(await states(later)).toEqual(["Scheduled"]);
  });

  test("keeps nothing from more urgent jobs", async () => {
    for (const name of ["q1", "q2"]) await lab.addDevice(name);
    await lab.sync(bench);
    await occupy("q1");
    await submitGroup();
    const urgent = await lab.submit(aJob({ lines: ["priority: high"] }));
    expect(await states(urgent)).toEqual(["Scheduled"]);
  });

  test("keeps no more than it needs", async () => {
    for (const name of ["q1", "q2", "q3"]) await lab.addDevice(name);
    await addBbb("b1");
    await addBbb("b2");
    await lab.sync(bench);
    const end = await lab.submit(aJob({ deviceType: "bbb", lines: ["priority: 100"] }));
    await submitGroup(aGroupJob({ a: aRole(), b: aRole(2, BBB) }));
    const single = await lab.submit();
    expect(await states(end, single)).toEqual(["Scheduled", "Scheduled"]);
    const last = await lab.submit();
    const one = await lab.submit();
    // Of three devices one is kept.
    expect(await states(last, one)).toEqual(["Scheduled", "Submitted"]);
  });

  test.each([
    ["a device of it is Bad", () => setHealth("b1", "Bad")],
    ["a device of it is in Maintenance", () => setHealth("b1", "Maintenance")],
    [
      "the worker of a device is Offline",
      async () => {
        await lab.addWorker("away");
        await addBbb("b1", { worker: "away" });
      },
    ],
  ])("keeps nothing from anybody when it can't begin with what is there: %s", async (_, make) => {
    await lab.addDevice("q1");
    await addBbb("b1");
    await lab.sync(bench);
    await make();
    await submitGroup(aGroupJob({ a: aRole(), b: aRole(1, BBB) }));
    const single = await lab.submit();
    expect(await states(1, 2, single)).toEqual(["Submitted", "Submitted", "Scheduled"]);
  });

  test("keeps a place of a worker with a job limit, too", async () => {
    const narrow = await lab.addWorker("narrow", 2);
    for (const name of ["n1", "n2", "n3"]) await lab.addDevice(name, { worker: "narrow" });
    await lab.sync(narrow);
    const first = await lab.submit(aJob({ lines: ["priority: 100"] }));
    const group = await submitGroup();
    const later = await lab.submit();
    expect(await states(first, ...group, later)).toEqual([
      "Scheduled",
      "Submitted",
      "Submitted",
      "Submitted",
    ]);
  });
});

describe("two groups that want the same devices", () => {
  test("never wait for each other: the more urgent one begins, then the other", async () => {
    await lab.addDevice("q1");
    await addBbb("b1");
    await setHealth("q1", "Maintenance");
    await setHealth("b1", "Maintenance");
    await lab.sync(bench);
    const first = await submitGroup(aGroupJob({ a: aRole(), b: aRole(1, BBB) }));
    // In the other order.
    const second = await submitGroup(aGroupJob({ b: aRole(1, BBB), a: aRole() }));
    await setHealth("b1", "Good");
    await setHealth("q1", "Good");
    expect(await states(...first, ...second)).toEqual([
      "Scheduled",
      "Scheduled",
      "Submitted",
      "Submitted",
    ]);
    await lab.request(`/jobs/${first[0]}/cancel`, { method: "POST" });
    await lab.sync(bench);
    await lab.settled();
    expect(await states(...second)).toEqual(["Scheduled", "Scheduled"]);
  });

  test("are served by priority, then by age", async () => {
    for (const name of ["q1", "q2"]) await lab.addDevice(name);
    const old = await submitGroup();
    const urgent = await submitGroup(aGroupJob(undefined, ["priority: high"]));
    lab.pass(1);
    const young = await submitGroup();
    await lab.sync(bench);
    expect(await states(old[0]!, urgent[0]!, young[0]!)).toEqual([
      "Submitted",
      "Scheduled",
      "Submitted",
    ]);
  });
});

test("passes of several types at once begin a group once", async () => {
  await lab.addDevice("q1");
  await addBbb("b1");
  await submitGroup(aGroupJob({ a: aRole(), b: aRole(1, BBB) }));
  await lab.sync(bench);
  await Promise.all(["qemu", "bbb", "qemu", "bbb"].map((type) => schedulePass(lab.deps, type)));
  expect(await states(1, 2)).toEqual(["Scheduled", "Scheduled"]);
  const { start } = await lab.sync(bench);
  expect(start.map(({ job_id }) => job_id)).toEqual([1, 2]);
});

test("a device whose configuration is of no use becomes Bad, and the group waits whole", async () => {
  await lab.addDevice("q1");
  await lab.addDevice("q2");
  await submitGroup();
  await breakConfiguration("q2");
  await lab.sync(bench);
  expect((await device("q2")).health).toBe("Bad");
  expect(await device("q1")).toMatchObject({ state: "Idle" });
  expect(await states(1, 2)).toEqual(["Submitted", "Submitted"]);
});

/** As a template may be that was changed since. */
async function breakConfiguration(hostname: string): Promise<void> {
  const key = textKey("device", hostname);
  const item = (await lab.deps.table.get<object>(key))!;
  const data = { ...item.data, text: "actions: nothing\n" };
  await lab.deps.table.transact([{ put: { key, data }, when: { version: item.version } }]);
}

describe("a group whose submitter has quotas", () => {
  const quotas = (quota: object) =>
    lab.api("/settings", { method: "PUT", body: { settings: { quotas: quota } } });

  test("begins whole or not at all, and keeps nothing from others while a quota bars it", async () => {
    for (const name of ["q1", "q2"]) await lab.addDevice(name);
    const { token } = await lab.addUser("bob");
    const group = await submitGroup();
    await quotas({ users: { admin: { running: 1 } } });
    await lab.sync(bench);
    const { job_ids: others } = await lab.api<SubmitResponse>("/jobs", { token, body: aJob() });
    await lab.settled();
    expect(await states(...group, ...others)).toEqual(["Submitted", "Submitted", "Scheduled"]);
    await quotas({ users: { admin: { running: 2 } } });
    await lab.addDevice("q3");
    await schedulePass(lab.deps, "qemu");
    expect(await states(...group)).toEqual(["Scheduled", "Scheduled"]);
  });

  test("that it can never fit is refused with their name; one made too small later is why it waits", async () => {
    for (const name of ["q1", "q2", "q3"]) await lab.addDevice(name);
    await quotas({ users: { admin: { running: 1 } } });
    const refused = await lab.request("/jobs", { body: aGroupJob() });
    expect([refused.status, ((await refused.json()) as Problem).message]).toEqual([
      409,
      "the quota of user admin: 1 running job is too small for a group of 2 jobs, all of which begin at once: ask an administrator for a larger one, or submit a smaller group",
    ]);
    await quotas({ users: { admin: { running: 2 } } });
    const [first = 0] = await submitGroup();
    await quotas({ users: { admin: { running: 1 } } });
    await lab.sync(bench);
    const never =
      "kept back for ever by a quota that has no place for the 2 jobs of the group, user admin: 1 running job at a time";
    const { waits, waits_for } = await lab.job(first);
    expect(waits?.reasons).toEqual([{ code: "quota", devices: 0, text: never }]);
    expect(waits_for).toContain(never);
    const queue = await lab.api<Queue>("/queue?device_type=qemu");
    expect(queue.jobs[0]?.waits_for).toBe(never);
  });

  test("of which others have a part waits, and says that it is for too few places", async () => {
    for (const name of ["q1", "q2", "q3"]) await lab.addDevice(name);
    await quotas({ users: { admin: { running: 2 } } });
    await lab.sync(bench);
    await lab.submit();
    const [first = 0] = await submitGroup();
    expect((await lab.job(first)).waits?.reasons[0]?.text).toBe(
      "kept back by a quota, which has not enough left for the 2 jobs of the group, user admin: 2 running jobs at a time",
    );
  });

  test("that are more than one transaction takes begins whole, and gives its slots back", async () => {
    const names = ["g1", "g2", "g3", "g4", "g5", "g6"];
    for (const name of names) {
      await lab.api(`/groups/${name}`, { method: "PUT", body: { members: ["admin"] } });
    }
    const quota = { running: 50, waiting: 50 };
    await quotas({ groups: Object.fromEntries(names.map((name) => [name, quota])) });
    for (let n = 0; n < 12; n++) await lab.addDevice(`q${n}`);
    await lab.sync(bench);
    const group = await submitGroup(aGroupJob({ a: aRole(12) }));
    expect(await states(...group)).toEqual(group.map(() => "Scheduled"));
    const slots = await lab.deps.table.query("main", "quota#group/g6");
    expect(slots.items.map(({ key }) => key.sort.split("#")[0])).toEqual(
      group.map(() => "running"),
    );
    await lab.api(`/jobs/${group[0]}/cancel`, { body: {} });
    await lab.sync(bench);
    expect((await lab.deps.table.query("main", "quota#group/g6")).items).toEqual([]);
  });

  test("of waiting jobs that leave too few places is refused, and takes none of them", async () => {
    const names = Array.from({ length: 8 }, (_, n) => `g${n}`);
    for (const name of names) {
      await lab.api(`/groups/${name}`, { method: "PUT", body: { members: ["admin"] } });
    }
    await quotas({ groups: Object.fromEntries(names.map((name) => [name, { waiting: 12 }])) });
    for (let n = 0; n < 12; n++) await lab.addDevice(`q${n}`);
    await lab.submit();
    const response = await lab.request("/jobs", { body: aGroupJob({ a: aRole(12) }) });
    expect(response.status).toBe(429);
    expect((await lab.deps.table.query("main", "quota#group/g0")).items).toHaveLength(1);
    expect((await submitGroup(aGroupJob({ a: aRole(11) }))).length).toBe(11);
  });
});

// The rest of such groups, in group-large.test.ts, takes minutes on the emulators of AWS.
test("a group that is too large for one transaction begins whole", async () => {
  for (let n = 0; n < 26; n++) await lab.addDevice(`q${n}`);
  await lab.sync(bench);
  const ids = await submitGroup(aGroupJob({ a: aRole(26) }));
  expect(await states(...ids)).toEqual(ids.map(() => "Scheduled"));
  const { items } = await lab.deps.table.query<ChangeRecord>("main", "changes#job#7");
  const told = items.map(({ data }) => data.changed["state"]?.[1]);
  expect(told).toEqual(["Submitted", "Scheduling", "Scheduled"]);
});

test("a queue time-out of one member ends all of the group", async () => {
  await lab.addDevice("q1");
  await lab.addDevice("q2");
  const source = aGroupJob().replace(
    "job: {minutes: 10}",
    "job: {minutes: 10}\n  queue: {minutes: 5}",
  );
  const ids = await submitGroup(source);
  lab.pass(301);
  await tick(lab.deps);
  for (const id of ids) {
    const { state, health, error_msg } = await lab.job(id);
    expect([state, health]).toEqual(["Finished", "Canceled"]);
    expect(error_msg).toMatch(/queue time-out|of the same group/);
  }
});

test("a job that waits says that it waits for its group", async () => {
  await lab.addDevice("q1");
  await lab.addDevice("q2");
  await submitGroup(aGroupJob({ host: aRole(), guest: aGuestRole() }));
  const guest = await lab.api<JobView>("/jobs/2");
  expect(guest.waits_for).toContain("job 1");
});
