import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Problem, SubmitResponse } from "#protocol/api.ts";
import { findJobItem } from "../../control-plane/domain/job-record.ts";
import { passFacts } from "../../control-plane/domain/pass-facts.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let bench: string;
let alice: string;
let bob: string;
beforeEach(async () => {
  lab = await embeddedLab();
  bench = await lab.addWorker();
  alice = (await lab.addUser("alice")).token;
  bob = (await lab.addUser("bob")).token;
});
afterEach(() => lab.close());

const quotas = async (quota: object) => {
  await lab.api("/settings", { method: "PUT", body: { settings: { quotas: quota } } });
};
async function devices(count: number): Promise<void> {
  for (let n = 1; n <= count; n++) await lab.addDevice(`qemu-0${n}`);
  await lab.sync(bench);
}
const ask = (token: string) => lab.request("/jobs", { token, body: aJob() });
async function submit(token: string): Promise<number> {
  const { job_ids } = await lab.api<SubmitResponse>("/jobs", { token, body: aJob() });
  await lab.settled();
  return job_ids[0]!;
}
async function finish(id: number): Promise<void> {
  const { start } = await lab.sync(bench);
  const token = start.find(({ job_id }) => job_id === id)!.token;
  await lab.finish(id, token, { result: "pass", lines: 0 });
}
const states = async (ids: readonly number[]) =>
  Promise.all(ids.map(async (id) => (await lab.job(id)).state));
const slots = async (account: string) =>
  (await lab.deps.table.query("main", `quota#${account}`)).items.length;

test("a person has no more jobs running than their quota; others go past, and the next begins when one ends", async () => {
  await quotas({ users: { alice: { running: 1 } } });
  await devices(3);
  const ids = [await submit(alice), await submit(alice), await submit(bob), await submit(bob)];
  expect(await states(ids)).toEqual(["Scheduled", "Submitted", "Scheduled", "Scheduled"]);
  expect((await lab.job(ids[1]!)).waits_for).toContain(
    "kept back by a quota, user alice: 1 running job at a time",
  );
  await finish(ids[0]!);
  expect(await states(ids)).toEqual(["Finished", "Scheduled", "Scheduled", "Scheduled"]);
});

test("the default quota holds for whoever has none of their own", async () => {
  await quotas({ default: { running: 1 }, users: { bob: { running: 2 } } });
  await devices(4);
  const ids = [await submit(alice), await submit(alice), await submit(bob), await submit(bob)];
  expect(await states(ids)).toEqual(["Scheduled", "Submitted", "Scheduled", "Scheduled"]);
});

test("a group's quota is that of all its members together", async () => {
  await lab.api("/groups/kernel", { method: "PUT", body: { members: ["alice", "bob"] } });
  await quotas({ groups: { kernel: { running: 1 } } });
  await devices(2);
  const ids = [await submit(alice), await submit(bob), await submit(lab.adminToken)];
  expect(await states(ids)).toEqual(["Scheduled", "Submitted", "Scheduled"]);
  expect((await lab.job(ids[1]!)).waits_for).toContain("group kernel: 1 running job");
});

test("a submission beyond the quota of waiting jobs is refused with its name, and taken when one has begun", async () => {
  await quotas({ default: { waiting: 2 } });
  await lab.addDevice("qemu-01");
  const first = await submit(alice);
  await submit(alice);
  const refused = await ask(alice);
  expect([refused.status, ((await refused.json()) as Problem).message]).toEqual([
    429,
    "the quota of user alice: 2 waiting jobs leaves no place for another: wait until some have begun, or cancel some",
  ]);
  expect((await ask(bob)).status).toBe(201);
  await lab.sync(bench);
  await lab.settled();
  expect((await lab.job(first)).state).toBe("Scheduled");
  expect((await ask(alice)).status).toBe(201);
  expect((await ask(alice)).status).toBe(429);
});

test("a job that a quota can never have place for is refused with the quota's name", async () => {
  await quotas({ users: { alice: { running: 0 } } });
  await lab.addDevice("qemu-01");
  const refused = await ask(alice);
  expect([refused.status, ((await refused.json()) as Problem).message]).toEqual([
    409,
    "the quota of user alice: 0 running jobs is too small for a job: ask an administrator for a larger one",
  ]);
  expect((await ask(bob)).status).toBe(201);
});

test("a job that is canceled while it waits gives its place back", async () => {
  await quotas({ default: { waiting: 1 } });
  await lab.addDevice("qemu-01");
  const id = await submit(alice);
  expect((await ask(alice)).status).toBe(429);
  await lab.api(`/jobs/${id}/cancel`, { token: alice, body: {} });
  expect(await slots("user/alice")).toBe(0);
  expect((await ask(alice)).status).toBe(201);
});

test("of many submissions at the same moment as many are taken as the quota has places", async () => {
  await quotas({ default: { waiting: 8 } });
  await lab.addDevice("qemu-01");
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(alice)));
  const codes = answers.map(({ status }) => status);
  expect(codes.filter((code) => code === 201)).toHaveLength(8);
  expect(codes.filter((code) => code === 429)).toHaveLength(12);
  expect(await slots("user/alice")).toBe(8);
});

test("the same submission again counts once", async () => {
  await quotas({ default: { waiting: 2 } });
  await lab.addDevice("qemu-01");
  const again = () =>
    lab.request("/jobs", {
      token: alice,
      body: aJob(),
      headers: { "idempotency-key": "the-same-one" },
    });
  const answers = await Promise.all([again(), again(), again()]);
  const ids = await Promise.all(
    answers.map(async (one) => ((await one.json()) as SubmitResponse).job_ids[0]),
  );
  expect(new Set(ids).size).toBe(1);
  expect(await slots("user/alice")).toBe(1);
});

test("a job that goes back to the queue has its running slot no more", async () => {
  await quotas({ default: { running: 1 } });
  await devices(1);
  const { job_ids } = await lab.api<SubmitResponse>("/jobs", {
    token: alice,
    body: aJob({ lines: ["retry_on: infrastructure"] }),
  });
  await lab.settled();
  const [id = 0] = job_ids;
  const { start } = await lab.sync(bench);
  await lab.sync(bench, [{ job_id: id, state: "running" }]);
  await lab.finish(id, start[0]!.token, {
    result: "fail",
    lines: 0,
    error_type: "Infrastructure",
    error_msg: "power",
  });
  expect((await lab.job(id)).attempt).toBe(2);
  expect(await slots("user/alice")).toBe((await lab.job(id)).state === "Scheduled" ? 1 : 0);
});

test("a quota that was made smaller lets nobody begin until enough have ended", async () => {
  await quotas({ default: { running: 3 } });
  await devices(4);
  const ids = [await submit(alice), await submit(alice), await submit(alice)];
  await quotas({ default: { running: 1 } });
  const next = await submit(alice);
  await finish(ids[0]!);
  await finish(ids[1]!);
  expect((await lab.job(next)).state).toBe("Submitted");
  await finish(ids[2]!);
  expect((await lab.job(next)).state).toBe("Scheduled");
});

test("a job of another device type begins when one ends that the quota counts, too", async () => {
  await quotas({ default: { running: 1 } });
  await lab.addDevice("board-01", { device_type: "board" });
  await devices(1);
  const first = await submit(alice);
  const { job_ids } = await lab.api<SubmitResponse>("/jobs", {
    token: alice,
    body: aJob({ deviceType: "board" }),
  });
  await lab.settled();
  expect(await states(job_ids)).toEqual(["Submitted"]);
  await finish(first);
  expect(await states(job_ids)).toEqual(["Scheduled"]);
});

test("jobs that a quota kept back begin when it is made larger", async () => {
  await quotas({ default: { running: 1 } });
  await devices(2);
  const ids = [await submit(alice), await submit(alice)];
  await quotas({ default: { running: 2 } });
  await lab.settled();
  expect(await states(ids)).toEqual(["Scheduled", "Scheduled"]);
});

test("a slot that is given back just before anybody has noted that a job is held back is not lost", async () => {
  await quotas({ users: { alice: { running: 1 } } });
  await devices(1);
  const first = await submit(alice);
  // So that no pass gives it to the second.
  await lab.api("/devices/qemu-01/health", { body: { health: "Maintenance" } });
  const second = await submit(alice);
  const { table } = lab.deps;
  const transact = table.transact.bind(table);
  let isEnded = false;
  const spy = vi.spyOn(table, "transact").mockImplementation(async (operations) => {
    const isNote = operations.some((one) => "put" in one && one.put.key.sort.startsWith("held#"));
    if (isNote && !isEnded) {
      isEnded = true;
      await lab.api(`/jobs/${first}/cancel`, { method: "POST" });
      await lab.sync(bench);
    }
    return transact(operations);
  });
  const { claims } = passFacts(lab.deps, { notesHeld: true });
  const claim = await claims.claim([(await findJobItem(lab.deps, second))!.data]);
  spy.mockRestore();
  expect(isEnded).toBe(true);
  expect(claim).toHaveProperty("operationsOf");
});
