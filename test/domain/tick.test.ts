import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DeviceView, WorkerView } from "#protocol/api.ts";
import { definitionBlob } from "../../control-plane/domain/blob-names.ts";
import { groupItem } from "../../control-plane/domain/group-record.ts";
import { dueKey } from "../../control-plane/domain/keys.ts";
import { multinodeDueKey } from "../../control-plane/domain/multinode-keys.ts";
import { cloudRounds, tick } from "../../control-plane/domain/tick.ts";
import { without } from "../../control-plane/domain/without.ts";
import { getWorkerItem, workerItem } from "../../control-plane/domain/worker-record.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab({ jobLeaseSeconds: 600 });
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
});
afterEach(() => lab.close());

const bench = () => lab.api<WorkerView>("/workers/bench");
const device = () => lab.api<DeviceView>("/devices/qemu-01");
const sweep = async (seconds: number) => {
  lab.pass(seconds);
  await tick(lab.deps);
  await lab.settled();
};

test("a worker is Offline after 60 silent seconds, its long poll not counted, and Online when it is back", async () => {
  expect((await bench()).state).toBe("Online");
  await sweep(59);
  expect((await bench()).state).toBe("Online");
  await sweep(1);
  expect((await bench()).state).toBe("Offline");
  const { seen } = await lab.sync(worker);
  expect((await bench()).state).toBe("Online");
  const leave = new AbortController();
  const held = lab.request("/worker/sync", {
    token: worker,
    body: { protocol: 1, version: "test", runners: [], wait_seconds: 50, seen },
    signal: leave.signal,
  });
  await lab.submit(aJob({ lines: ["priority: 1"] }));
  await held;
  await sweep(100);
  expect((await bench()).state).toBe("Online");
  await sweep(20);
  expect((await bench()).state).toBe("Offline");
});

test("what a submission that failed had put away is removed when nobody can be at it any more, and nothing else", async () => {
  const first = await lab.submit();
  const { table } = lab.deps;
  const write = table.transact.bind(table);
  const failing = vi.spyOn(table, "transact").mockImplementation(async (operations) => {
    if (operations.some((one) => "put" in one && one.put.key.sort === "job")) throw new Error("no");
    return write(operations);
  });
  const body = aJob();
  const headers = { "content-type": "application/yaml" };
  const refused = await lab.request("/jobs", { method: "POST", body, headers });
  expect(refused.status).toBe(500);
  failing.mockRestore();
  const last = await lab.submit();
  const kept = async () => {
    const sizes = [first, first + 1, last].map((id) =>
      lab.deps.blobs.sizeBytes(definitionBlob(id)),
    );
    return (await Promise.all(sizes)).map((size) => size !== undefined);
  };
  expect(last).toBe(first + 2);
  await sweep(9 * 60);
  expect(await kept()).toEqual([true, true, true]);
  await sweep(2 * 60);
  expect(await kept()).toEqual([true, false, true]);
});

test("a job that waits longer than its queue time-out is canceled", async () => {
  await lab.api("/devices/qemu-01/health", { body: { health: "Maintenance" } });
  const definition = aJob().replace("timeouts:\n", "timeouts:\n  queue: {minutes: 5}\n");
  const impatient = await lab.submit(definition);
  const patient = await lab.submit();
  await sweep(299);
  expect((await lab.job(impatient)).state).toBe("Submitted");
  await sweep(1);
  expect(await lab.job(impatient)).toMatchObject({
    state: "Finished",
    health: "Canceled",
    error_msg: expect.stringMatching(/queue time-out/),
  });
  expect((await lab.job(patient)).state).toBe("Submitted");
});

test("what goes wrong with one thing that is due holds up nothing else, and is tried again", async () => {
  await lab.api("/devices/qemu-01/health", { body: { health: "Maintenance" } });
  const queue = aJob().replace("timeouts:\n", "timeouts:\n  queue: {minutes: 5}\n");
  const impatient = await lab.submit(queue);
  // A group that nobody can settle comes first in the list of what is due.
  const broken = { ...{ id: "broken", submitter: "a", submit_time: "" }, members: null };
  const key = multinodeDueKey("broken", "1");
  const due = { put: { key, data: { group: "broken" }, keys: { i2: dueKey("0", key.sort) } } };
  await lab.deps.table.transact([{ put: groupItem(broken as never) }, due]);
  await sweep(300);
  expect((await lab.job(impatient)).health).toBe("Canceled");
  expect((await bench()).state).toBe("Offline");
  const failures = () => lab.messages.filter((line) => line.startsWith("due work failed"));
  expect(failures().join("\n")).toContain("multinode-due");
  const before = failures().length;
  await sweep(60);
  expect(failures().length).toBeGreaterThan(before);
});

test("a queue time-out does not touch a job that found its device in time", async () => {
  const definition = aJob().replace("timeouts:\n", "timeouts:\n  queue: {minutes: 5}\n");
  const id = await lab.submit(definition);
  await sweep(301);
  expect((await lab.job(id)).state).toBe("Scheduled");
});

describe("a job whose worker is silent past the lease", () => {
  let id: number;
  let token: string;
  const runner = (state: "running" | "finished") => [{ job_id: id, state }];
  beforeEach(async () => {
    id = await lab.submit();
    token = (await lab.sync(worker)).start[0]!.token;
    await lab.sync(worker, runner("running"));
    await lab.ship(id, token, 0, [{ lvl: "info", msg: "one" }]);
  });

  test("is not taken back before", async () => {
    await sweep(599);
    expect((await lab.job(id)).state).toBe("Running");
  });

  test("is not taken back when it was the control plane that was away: then its lease begins anew", async () => {
    lab.pass(3600);
    const upSince = lab.deps.system.now();
    const later = async (seconds: number) => {
      lab.pass(seconds);
      await tick(lab.deps, {}, upSince);
      return (await lab.job(id)).state;
    };
    expect(await later(10)).toBe("Running");
    expect(await later(589)).toBe("Running");
    expect(await later(1)).toBe("Finished");
  });

  test("ends as the lab's fault, and its device is held until the worker is heard of", async () => {
    await sweep(600);
    expect(await lab.job(id)).toMatchObject({
      state: "Finished",
      health: "Incomplete",
      error_type: "Infrastructure",
      error_msg: "worker bench has been silent for more than 10 minutes",
    });
    expect(await device()).toMatchObject({ state: "Running", current_job: id });
    const next = await lab.submit();
    await sweep(600);
    expect((await lab.job(next)).state).toBe("Submitted");
    await lab.sync(worker);
    expect(await device()).toMatchObject({ health: "Unknown", current_job: next });
    expect((await lab.job(next)).state).toBe("Scheduled");
  });

  test("that comes back finished, with all its log, ends as it truly ended", async () => {
    await sweep(600);
    const answer = await lab.sync(worker, runner("finished"));
    expect(answer).toMatchObject({ cancel: [], forget: [], lost: [] });
    await lab.ship(id, token, 1, [{ lvl: "info", msg: "two" }]);
    expect((await lab.finish(id, token, { result: "pass", lines: 3 })).status).toBe(409);
    expect((await lab.finish(id, token, { result: "pass", lines: 2 })).status).toBe(200);
    const job = await lab.job(id);
    expect(job).toMatchObject({ state: "Finished", health: "Complete", log_lines: 2 });
    expect([job.error_type, job.error_msg]).toEqual([undefined, undefined]);
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
    expect((await lab.sync(worker, runner("finished"))).forget).toEqual([id]);
  });

  test("that comes back running runs on, and ends as it truly ends", async () => {
    await sweep(600);
    const answer = await lab.sync(worker, runner("running"));
    expect(answer).toMatchObject({ cancel: [], forget: [], lost: [] });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Incomplete" });
    expect(await device()).toMatchObject({ current_job: id });
    await lab.ship(id, token, 1, [{ lvl: "info", msg: "two" }]);
    await sweep(60);
    await lab.sync(worker, runner("running"));
    await lab.finish(id, token, { result: "pass", lines: 2 });
    expect(await lab.job(id)).toMatchObject({ health: "Complete", log_lines: 2 });
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
  });

  test("and that was being canceled is Canceled", async () => {
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    await sweep(600);
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled" });
    await lab.sync(worker);
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
  });
});

test("a worker that an older version wrote, without when to look at it, is found by the rounds", async () => {
  const token = await lab.addWorker("older");
  await lab.sync(token);
  const { data, version } = await getWorkerItem(lab.deps, "older");
  const put = workerItem(without(data, "attend_at"));
  await lab.deps.table.transact([{ put, when: { version } }]);
  lab.pass(5 * 60);
  await tick(lab.deps);
  const { data: found } = await getWorkerItem(lab.deps, "older");
  expect(found.state).toBe("Offline");
  expect(found.attend_at).toBeDefined();
});

test("a round that has come to its end rests in the cloud, and then begins again", async () => {
  const rounds = cloudRounds();
  const query = vi.spyOn(lab.deps.table, "query");
  const looks = () => query.mock.calls.filter((call) => call[1] === "device-types").length;
  for (let minute = 0; minute < 5; minute++) {
    await tick(lab.deps, rounds);
    lab.pass(60);
  }
  expect(looks()).toBe(1);
  await tick(lab.deps, rounds);
  expect(looks()).toBe(2);
});
