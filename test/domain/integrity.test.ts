import { afterEach, beforeEach, expect, test } from "vitest";
import { RULES, type Rule } from "#protocol/integrity.ts";
import { chunkBlob, definitionBlob } from "../../control-plane/domain/blob-names.ts";
import { deviceItem, type DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { groupItem, type GroupRecord } from "../../control-plane/domain/group-record.ts";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import {
  assignmentsKey,
  chunkKey,
  deviceKey,
  jobKey,
  queueDeadlineKey,
  resultsKey,
  slotKey,
  workerKey,
} from "../../control-plane/domain/keys.ts";
import { multinodeKey } from "../../control-plane/domain/multinode-keys.ts";
import { queueDeadlineItem } from "../../control-plane/domain/queue-deadlines.ts";
import { slotItem } from "../../control-plane/domain/quotas.ts";
import { without } from "../../control-plane/domain/without.ts";
import { workerItem, type WorkerRecord } from "../../control-plane/domain/worker-record.ts";
import type { Key, NewItem } from "../../control-plane/ports/table.ts";
import { aResult } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob } from "../support/group-job.ts";
import { violationsOf } from "../support/violations-of.ts";

let lab: EmbeddedLab;
/** Jobs: one that ended, with two chunks of log; one that runs; one that waits with a time-out; two of a group that wait. */
let ids: { ended: number; runs: number; waits: number; member: number };
let group: string;
let worker: string;
let chunk: { first_line: number; sha256: string };

beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  const start = async (id: number): Promise<string> => {
    const { start: jobs } = await lab.sync(worker);
    await lab.sync(worker, [{ job_id: id, state: "running" }]);
    return jobs.find(({ job_id }) => job_id === id)!.token;
  };
  const ended = await lab.submit();
  const token = await start(ended);
  const record = { dt: "2026-03-01T12:00:00", lvl: "results", msg: aResult() };
  await lab.ship(ended, token, 0, [{ lvl: "info", msg: "x" }, record]);
  await lab.ship(ended, token, 2, [record]);
  await lab.finish(ended, token, { result: "pass", lines: 3 });
  await lab.sync(worker);
  const runs = await lab.submit();
  await start(runs);
  const waits = await lab.submit();
  const member = await lab.submit(aGroupJob());
  ids = { ended, runs, waits, member };
  group = (await job(member)).group!;
  chunk = await read(chunkKey(ended, 2));
});
afterEach(() => lab.close());

const put = (...items: NewItem[]) => lab.deps.table.transact(items.map((item) => ({ put: item })));
const remove = (key: Key) => lab.deps.table.transact([{ delete: key }]);
const cancelGroup = () => lab.api(`/jobs/${ids.member}/cancel`, { method: "POST" });
const read = async <T>(key: Key): Promise<T> => (await lab.deps.table.get<T>(key))!.data;
const job = (id: number) => read<JobRecord>(jobKey(id));
const putJob = async (id: number, more: Partial<JobRecord>) =>
  put(jobItem({ ...(await job(id)), ...more }));
const putDevice = async (more: Partial<DeviceRecord>) =>
  put(deviceItem({ ...(await read<DeviceRecord>(deviceKey("qemu-01"))), ...more }));

test("a lab that nobody has touched has no violation", async () => {
  expect(await violationsOf(lab.deps, lab.admin)).toEqual([]);
});

test("a device that a group keeps, until it has all it needs, is none that a job waits for in vain", async () => {
  const after = await lab.submit();
  for (const name of ["qemu-02", "qemu-03"]) await lab.addDevice(name);
  await lab.sync(worker);
  expect((await read<DeviceRecord>(deviceKey("qemu-03"))).state).toBe("Idle");
  expect((await job(after)).state).toBe("Submitted");
  expect(await violationsOf(lab.deps, lab.admin)).toEqual([]);
});

const idle = { state: "Idle" } as const;
/** What is broken, what is found, and where. */
const damages: [string, () => Promise<unknown>, Rule, () => string][] = [
  [
    "an item of no kind",
    () => put({ key: { partition: "x#1", sort: "a" }, data: {} }),
    "unknown-item",
    () => "x#1 a",
  ],
  [
    "a job's shape",
    () => put({ key: jobKey(ids.waits), data: { id: ids.waits } }),
    "damaged-item",
    () => `job#${ids.waits} job`,
  ],
  [
    "a job in another's place",
    async () => put({ ...jobItem(await job(ids.waits)), key: jobKey(99) }),
    "damaged-item",
    () => "job#99 job",
  ],
  [
    "a job's lists",
    async () => put(without(jobItem(await job(ids.waits)), "keys")),
    "wrong-lists",
    () => `job#${ids.waits} job`,
  ],
  [
    "its place in the queue",
    async () => put(without(jobItem(await job(ids.waits)), "keys")),
    "queue",
    () => `job ${ids.waits}`,
  ],
  [
    "a health before the end",
    () => putJob(ids.runs, { health: "Complete" }),
    "job-state",
    () => `job ${ids.runs}`,
  ],
  [
    "a device of a job that waits",
    () => putJob(ids.waits, { device: "qemu-01" }),
    "job-state",
    () => `job ${ids.waits}`,
  ],
  [
    "a device that forgot its job",
    async () =>
      put(
        deviceItem({
          ...without(await read<DeviceRecord>(deviceKey("qemu-01")), "current_job"),
          ...idle,
        }),
      ),
    "job-holder",
    () => `job ${ids.runs}`,
  ],
  [
    "one device for two jobs",
    async () =>
      putJob(ids.ended, {
        state: "Running",
        health: "Unknown",
        device: "qemu-01",
        worker: "bench",
      }),
    "job-holder",
    () => `job ${ids.ended}`,
  ],
  [
    "a device that keeps its job",
    () => putDevice({ current_job: ids.ended }),
    "device-holder",
    () => "device qemu-01",
  ],
  [
    "a device that is Idle with a job",
    () => putDevice(idle),
    "device-holder",
    () => "device qemu-01",
  ],
  [
    "a job that its worker is not told of",
    () => put({ key: assignmentsKey("bench"), data: { job_ids: [] } }),
    "job-holder",
    () => `job ${ids.runs}`,
  ],
  [
    "a worker that is told of a job for ever",
    () => put({ key: assignmentsKey("bench"), data: { job_ids: [ids.runs, ids.ended] } }),
    "assignments",
    () => "worker bench",
  ],
  [
    "a job twice at its worker",
    () => put({ key: assignmentsKey("bench"), data: { job_ids: [ids.runs, ids.runs] } }),
    "assignments",
    () => "worker bench",
  ],
  [
    "a worker that nobody looks at",
    async () => put(workerItem(without(await read<WorkerRecord>(workerKey("bench")), "attend_at"))),
    "stuck-job",
    () => "worker bench",
  ],
  [
    "a job of a worker that went",
    () => remove(workerKey("bench")),
    "stuck-job",
    () => `job ${ids.runs}`,
  ],
  [
    "a device of a worker that went",
    () => remove(workerKey("bench")),
    "lost-device",
    () => "device qemu-01",
  ],
  [
    "a job on a device that went",
    () => remove(deviceKey("qemu-01")),
    "lost-device",
    () => `job ${ids.runs}`,
  ],
  [
    "a time-out that nobody looks at",
    () => putJob(ids.waits, { queue_deadline: "2026-03-02T00:00:00.000Z" }),
    "queue",
    () => `job ${ids.waits}`,
  ],
  [
    "a time-out of no job",
    () => put(queueDeadlineItem("2026-03-02T00:00:00.000Z", ids.ended)),
    "orphan",
    () =>
      `${queueDeadlineKey("2026-03-02T00:00:00.000Z", ids.ended).partition} ${queueDeadlineKey("2026-03-02T00:00:00.000Z", ids.ended).sort}`,
  ],
  ["a chunk of a log", () => remove(chunkKey(ids.ended, 0)), "log", () => `job ${ids.ended}`],
  ["the end of a log", () => remove(chunkKey(ids.ended, 2)), "log", () => `job ${ids.ended}`],
  [
    "lines twice",
    async () => put({ key: chunkKey(ids.ended, 1), data: { ...chunk, first_line: 1 } }),
    "log",
    () => `job ${ids.ended}`,
  ],
  [
    "results without their log",
    () => remove(chunkKey(ids.ended, 2)),
    "results",
    () => `job ${ids.ended}`,
  ],
  [
    "a result twice",
    async () => {
      const { results } = await read<{ results: object[] }>(resultsKey(ids.ended, 2));
      await put({ key: resultsKey(ids.ended, 2), data: { results: [...results, ...results] } });
    },
    "results",
    () => `job ${ids.ended}`,
  ],
  [
    "a chunk's file",
    () => lab.deps.blobs.remove(chunkBlob(ids.ended, 2, chunk.sha256)),
    "lost-blob",
    () => `job ${ids.ended}`,
  ],
  [
    "half of a chunk's file",
    () => lab.deps.blobs.put(chunkBlob(ids.ended, 2, chunk.sha256), new Uint8Array(3)),
    "lost-blob",
    () => `job ${ids.ended}`,
  ],
  [
    "a definition",
    () => lab.deps.blobs.remove(definitionBlob(ids.waits)),
    "lost-blob",
    () => `job ${ids.waits}`,
  ],
  ["an attempt", () => putJob(ids.waits, { attempt: 2 }), "lost-attempt", () => `job ${ids.waits}`],
  [
    "a job with parts",
    () => remove(jobKey(ids.ended)),
    "orphan",
    () => `job#${ids.ended} chunk#000000000000`,
  ],
  [
    "an end that no change tells",
    async () => putJob(ids.ended, { health: "Incomplete" }),
    "history",
    () => `job ${ids.ended}`,
  ],
  [
    "a change twice",
    async () => {
      const { items } = await lab.deps.table.query<object>("main", `changes#job#${ids.ended}`);
      const last = items.at(-1)!;
      await put({ key: { ...last.key, sort: `${last.key.sort}0` }, data: last.data });
    },
    "history",
    () => `job ${ids.ended}`,
  ],
  [
    "a change that is lost",
    async () => {
      const { items } = await lab.deps.table.query("main", "changes#device#qemu-01");
      await remove(items.at(-1)!.key);
    },
    "history",
    () => "device qemu-01",
  ],
  [
    "a quota's place of no job",
    () => put(slotItem("user/admin#running#000001", ids.ended)),
    "quota",
    () => `${slotKey("user/admin", "running#000001").partition} running#000001`,
  ],
  [
    "a job without its quota's place",
    () => putJob(ids.runs, { quota_slots: ["user/admin#running#000001"] }),
    "quota",
    () => `job ${ids.runs}`,
  ],
  ["a group", () => remove(multinodeKey(group)), "group", () => `job ${ids.member}`],
  ["a job of a group", () => remove(jobKey(ids.member)), "group", () => `group ${group}`],
  [
    "a group that ended too early",
    async () =>
      put(
        groupItem({
          ...(await read<GroupRecord>(multinodeKey(group))),
          ended: "2026-03-01T12:00:00.000Z",
        }),
      ),
    "group",
    () => `group ${group}`,
  ],
  [
    "a reservation that is not there",
    () => putDevice({ reservation: { id: "r1", holder: "admin" } }),
    "reservation",
    () => "device qemu-01",
  ],
  ["what was due", async () => lab.pass(3600), "overdue", () => "worker#bench worker"],
  [
    "a device that is free while a job waits",
    async () => {
      await cancelGroup();
      await putJob(ids.runs, { ...(await job(ids.ended)), id: ids.runs });
      await put({ key: assignmentsKey("bench"), data: { job_ids: [] } });
      await put(
        deviceItem({
          ...without(await read<DeviceRecord>(deviceKey("qemu-01")), "current_job"),
          ...idle,
        }),
      );
    },
    "waits-in-vain",
    () => `job ${ids.waits}`,
  ],
];

test.each(damages)("%s", async (_, damage, rule, what) => {
  await damage();
  const found = await violationsOf(lab.deps, lab.admin);
  expect(found).toContainEqual({ rule, what: what(), text: expect.any(String) });
});

test("each rule can be broken", () => {
  expect(new Set(damages.map(([, , rule]) => rule))).toEqual(new Set(Object.keys(RULES)));
});
