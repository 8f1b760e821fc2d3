import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BackupItem, BackupPage } from "#protocol/backup.ts";
import type { DeviceView, JobView } from "#protocol/api.ts";
import { definitionBlob } from "../../control-plane/domain/blob-names.ts";
import type { JobRecord } from "../../control-plane/domain/job-record.ts";
import { assignmentsKey } from "../../control-plane/domain/keys.ts";
import { kindOf } from "../../control-plane/domain/item-kinds.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob, aResult } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";
import { isOnAws } from "../support/test-engine.ts";

const labs: EmbeddedLab[] = [];
let lab: EmbeddedLab;
let worker: string;

async function newLab(): Promise<EmbeddedLab> {
  const made = await embeddedLab();
  labs.push(made);
  return made;
}
beforeEach(async () => {
  lab = await newLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.addDevice("qemu-02");
});
afterEach(async () => {
  for (const made of labs.splice(0)) await made.close();
});

const ID = "0123456789abcdef";
const running = (job_id: number) => ({ job_id, state: "running" as const });
const put = (to: EmbeddedLab, where: string, body: unknown) =>
  to.request(`/backup/restore/${ID}${where}`, { method: "PUT", body });
const line = { lvl: "info", msg: "x" };

async function allItems(since?: string): Promise<BackupItem[]> {
  const items: BackupItem[] = [];
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ ...(since && { since }), ...(cursor && { cursor }) });
    const page = await lab.api<BackupPage>(`/backup/items?${query.toString()}`);
    items.push(...page.items);
    ({ cursor } = page);
  } while (cursor !== undefined);
  return items;
}

/** Restores items, without their blobs. */
async function restore(to: EmbeddedLab, items: BackupItem[]): Promise<void> {
  expect((await put(to, "", { format: 1 })).status).toBe(200);
  for (let at = 0; at < items.length; at += 100) {
    expect((await put(to, "/items", { items: items.slice(at, at + 100) })).status).toBe(200);
  }
  expect((await put(to, "/settle", {})).status).toBe(200);
  expect((await put(to, "/end", {})).status).toBe(200);
  await to.settled();
}

const nameOf = ({ key }: BackupItem) => `${key.partition} ${key.sort}`;
const itemOf = (items: BackupItem[], name: string) => items.find((item) => nameOf(item) === name)!;

test("every item of a lab is of a kind that a restore knows", async () => {
  await lab.sync(worker);
  const id = await lab.submit();
  const { start } = await lab.sync(worker);
  await lab.sync(worker, [running(id)]);
  await lab.ship(id, start[0]!.token, 0, [line]);
  await lab.api(`/jobs/${id}/log`);
  await lab.api("/lab/apply", { body: { lab: { tags: { kvm: {} } } } });
  const { items } = await lab.deps.table.scan();
  expect(items.map(({ key }) => kindOf(key)?.name)).not.toContain(undefined);
  expect(items.map(({ key }) => kindOf(key)?.name)).toContain("watch");
});

test("a page names the jobs in motion, and one of them is told with its parts in pages of one moment", async () => {
  await lab.sync(worker);
  const id = await lab.submit();
  const { start } = await lab.sync(worker);
  await lab.sync(worker, [running(id)]);
  const { token } = start[0]!;
  for (let n = 0; n < 25; n++) await lab.ship(id, token, n, [line]);
  const { again, blobs } = await lab.api<BackupPage>("/backup/items");
  expect(again).toEqual([id]);
  // The log's, the definition, and the configuration that its device has.
  expect(blobs).toHaveLength(27);

  const first = await lab.api<BackupPage>(`/backup/jobs/${id}`);
  expect((first.items[0]!.data as JobRecord).log_lines).toBe(25);
  // What comes now is of another moment.
  await lab.ship(id, token, 25, [line]);
  const items = [...first.items];
  for (let { cursor } = first; cursor !== undefined;) {
    const page = await lab.api<BackupPage>(`/backup/jobs/${id}?cursor=${cursor}`);
    items.push(...page.items);
    ({ cursor } = page);
  }
  expect(items).toHaveLength(26);
  for (const where of [`/jobs/${id}?cursor=x`, `/jobs/${id}?cursor=1.x`, "/items?cursor=x"]) {
    expect((await lab.request(`/backup${where}`)).status).toBe(400);
  }
  expect((await lab.request("/backup/jobs/99")).status).toBe(404);

  await lab.finish(id, token, { result: "pass", lines: 26 });
  const since = (text: string) => lab.api<BackupPage>(`/backup/items?since=${text}`);
  expect((await since("2026-03-01T12:00:00.000Z")).again).toEqual([id]);
  expect((await since("2026-03-01T12:00:01.000Z")).again).toEqual([]);
});

describe("items that a restore refuses", () => {
  const good = (): BackupItem[] => [
    { key: { partition: "tags", sort: "kvm" }, version: 1, data: { name: "kvm" } },
  ];
  test.each([
    ["of this place", { partition: "lab", sort: "secret" }, { secret: "x" }, "does not belong"],
    ["to be a session", { partition: "job#1", sort: "watch" }, {}, "does not belong"],
    ["of a newer Pumice", { partition: "fleet#1", sort: "a" }, {}, "a newer one is needed"],
    ["of another name", { partition: "tags", sort: "a" }, { name: "b" }, "of another tag"],
    ["of no shape", { partition: "device#a", sort: "device" }, { hostname: "a" }, "device_type"],
    ["of no job", { partition: "job#x", sort: "job" }, {}, "a newer one is needed"],
  ])("%s", async (_, key, data, words) => {
    const to = await newLab();
    await put(to, "", { format: 1 });
    const answer = await put(to, "/items", { items: [...good(), { key, version: 1, data }] });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ message: expect.stringContaining(words) });
    // All or nothing of one request.
    await put(to, "/end", {});
    expect(await to.api("/tags")).toEqual({ tags: [] });
  });

  test.each([
    ["a key that leads out", "jobs/1/../../secret"],
    ["a key of no job", "own/file"],
    ["a key of a job 0", "jobs/0/definition.yaml"],
  ])("blobs: %s", async (_, key) => {
    const to = await newLab();
    await put(to, "", { format: 1 });
    const blobs = [{ key, bytes: 1, sha256: "0".repeat(64) }];
    expect((await put(to, "/blobs", { blobs })).status).toBe(400);
  });

  test("in a lab where none was begun, or another one was", async () => {
    const to = await newLab();
    expect((await put(to, "/items", { items: good() })).status).toBe(409);
    await put(to, "", { format: 1 });
    for (const where of ["", "/items", "/blobs", "/settle", "/end"]) {
      const other = await to.request(`/backup/restore/${"f".repeat(16)}${where}`, {
        method: "PUT",
        body: { format: 1, items: [], blobs: [] },
      });
      expect(other.status).toBe(409);
    }
    expect((await put(to, "", { format: 2 })).status).toBe(400);
  });
});

test("while a restore goes on nothing is scheduled, swept or opened", async () => {
  await lab.sync(worker);
  const id = await lab.submit();
  await lab.submit(aJob({ lines: ["priority: low"] }));
  await lab.sync(worker);
  const items = await allItems();
  const to = await newLab();
  await put(to, "", { format: 1 });
  await put(to, "/items", { items });
  to.pass(24 * 60 * 60);
  await tick(to.deps);
  await to.deps.signals.requestPass("qemu");
  await to.settled();
  expect(await to.job(id)).toMatchObject({ state: "Scheduled" });
  expect((await to.request("/worker/sync", { token: worker, body: {} })).status).toBe(503);
  expect((await to.request("/backup/closed", { method: "DELETE" })).status).toBe(409);
  expect((await to.request("/backup/closed", { method: "PUT" })).status).toBe(409);
});

test("a job keeps its lease from the restore on, then it is taken back", async () => {
  await lab.sync(worker);
  const id = await lab.submit();
  await lab.sync(worker, [running(id)]);
  const to = await newLab();
  to.pass(24 * 60 * 60);
  await restore(to, await allItems());
  await tick(to.deps);
  expect(await to.job(id)).toMatchObject({ state: "Running" });
  to.pass(31 * 60);
  await tick(to.deps);
  expect(await to.job(id)).toMatchObject({ state: "Finished", health: "Incomplete" });
});

test("a token that the lab has stays as it is, whatever a backup says of its id", async () => {
  const items = await allItems();
  const to = await newLab();
  const own = to.adminToken.split("_")[1]!;
  const token = items.find(({ data }) => (data as { subject?: string }).subject === "admin")!;
  const forged = {
    ...token,
    key: { ...token.key, partition: `token#${own}` },
    data: { ...token.data, id: own, hash: "0".repeat(64) },
  };
  await restore(to, [forged]);
  expect((await to.request("/jobs")).status).toBe(200);
});

test("jobs are kept as long as the lab that takes them keeps its own, from the restore on", async () => {
  await lab.sync(worker);
  const id = await lab.submit();
  const { start } = await lab.sync(worker);
  await lab.ship(id, start[0]!.token, 0, [line]);
  await lab.finish(id, start[0]!.token, { result: "pass", lines: 1 });
  const to = await embeddedLab({ retentionDays: 30 });
  labs.push(to);
  to.pass(100 * 24 * 60 * 60);
  await restore(to, await allItems());
  to.pass(29 * 24 * 60 * 60);
  expect((await to.request(`/jobs/${id}`)).status).toBe(200);
  to.pass(2 * 24 * 60 * 60);
  expect((await to.request(`/jobs/${id}`)).status).toBe(404);
});

/** The items of a lab at some moments of a busy life. */
async function moments(): Promise<BackupItem[][]> {
  const seen: BackupItem[][] = [];
  const look = async () => void seen.push(await allItems());
  const tokens = new Map<number, string>();
  const lines = new Map<number, number>();
  const step = async (...ids: number[]) => {
    const answer = await lab.sync(worker, ids.map(running));
    for (const { job_id, token } of answer.start) tokens.set(job_id, token);
    await look();
  };
  const ship = async (id: number) => {
    lines.set(id, await lab.ship(id, tokens.get(id)!, lines.get(id) ?? 0, [line]));
    await look();
  };
  const finish = async (id: number) => {
    await lab.finish(id, tokens.get(id)!, { result: "pass", lines: lines.get(id) ?? 0 });
    await look();
  };
  await step();
  for (let n = 0; n < 5; n++) await lab.submit();
  await look();
  await step();
  await step(1, 2);
  await ship(1);
  await ship(2);
  await finish(1);
  await step(2);
  await step(2, 3);
  await ship(3);
  await lab.api("/jobs/3/cancel", { method: "POST" });
  await look();
  await step(2);
  await finish(2);
  await step(4);
  await step(4, 5);
  await ship(5);
  lab.pass(60);
  return seen;
}

test("whatever moments its items are of, a restored lab agrees with itself and its jobs come to an end", async () => {
  const seen = await moments();
  const last = seen.at(-1)!;
  const names = [...new Set(seen.flat().map(nameOf))];
  const moment = fc.array(fc.integer({ min: 0, max: seen.length - 1 }), {
    minLength: names.length,
    maxLength: names.length,
  });
  await fc.assert(
    fc.asyncProperty(moment, fc.boolean(), async (picks, isReversed) => {
      const items = names.flatMap((name, index) => {
        const isPart = / (chunk|results)#/.test(name);
        const item = itemOf(isPart ? last : seen[picks[index]!]!, name);
        return item ? [item] : [];
      });
      const to = await newLab();
      await restore(to, isReversed ? items.toReversed() : items);
      await agrees(to);
      await bringsAllToAnEnd(to);
      await labs.pop()?.close();
    }),
    { numRuns: isOnAws ? 5 : 40 },
  );
});

test.each(["1", "3"])(
  "of two jobs that one device would have, the one that got it later keeps it, whoever %s is named by it",
  async (current) => {
    const seen = await moments();
    const runs = (id: number) =>
      seen
        .map((items) => itemOf(items, `job#${id} job`))
        .find((item) => (item?.data as JobRecord | undefined)?.state === "Running")!;
    const [first, third] = [runs(1), runs(3)];
    const start_time = "2026-03-01T12:00:00.001Z";
    const device = itemOf(seen.at(-1)!, "device#qemu-01 device");
    const items = [
      ...seen.at(-1)!.filter((item) => !/^(job#|device#qemu-01|assign)/.test(nameOf(item))),
      { ...device, data: { ...device.data, state: "Running", current_job: Number(current) } },
      { ...third, data: { ...third.data, start_time, device: "qemu-01" } },
      { ...first, data: { ...first.data, device: "qemu-01" } },
    ];
    const to = await newLab();
    await restore(to, items);
    expect(await to.job(1)).toMatchObject({
      state: "Finished",
      health: "Incomplete",
      error_msg: expect.stringContaining("ended while the backup was made"),
    });
    expect(await to.job(3)).toMatchObject({ state: "Running" });
    await agrees(to);
  },
);

async function agrees(to: EmbeddedLab): Promise<void> {
  const { jobs } = await to.api<{ jobs: JobView[] }>("/jobs");
  const { devices } = await to.api<{ devices: DeviceView[] }>("/devices");
  const held = jobs.filter(({ state, device }) => device && state !== "Finished");
  for (const { hostname, current_job, state } of devices) {
    const holder = held.filter(({ device }) => device === hostname);
    expect(holder.map(({ id }) => id)).toEqual(current_job === undefined ? [] : [current_job]);
    expect(state === "Idle").toBe(current_job === undefined);
  }
  const assigned = await to.deps.table.get<{ job_ids: number[] }>(assignmentsKey("bench"));
  expect(new Set(assigned?.data.job_ids)).toEqual(new Set(held.map(({ id }) => id)));
}

/** The worker has forgotten everything, as a new one would. */
async function bringsAllToAnEnd(to: EmbeddedLab): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const { start, lost } = await to.sync(worker);
    for (const { job_id, token } of [...start, ...lost]) {
      if (start.length > 0)
        await to.sync(
          worker,
          start.map((ticket) => running(ticket.job_id)),
        );
      const { log_lines } = await to.job(job_id);
      const next = await to.ship(job_id, token, log_lines, [line]);
      expect((await to.finish(job_id, token, { result: "pass", lines: next })).status).toBe(200);
    }
  }
  const { jobs } = await to.api<{ jobs: JobView[] }>("/jobs");
  expect(jobs.filter(({ state }) => state !== "Finished")).toEqual([]);
}

describe("a job that went back to the queue", () => {
  const RETRIED = aJob({ lines: ["retry_on: infrastructure"] });
  const spoilt = { result: "fail", error_type: "Infrastructure" } as const;
  const result = { lvl: "results", dt: "2026-03-01T12:00:00Z", msg: aResult() };

  test("is told and restored with both attempts, of one moment each", async () => {
    await lab.sync(worker);
    const id = await lab.submit(RETRIED);
    const [first] = (await lab.sync(worker)).start;
    await lab.ship(id, first!.token, 0, [line, result, line]);
    await lab.finish(id, first!.token, { ...spoilt, lines: 3 });
    const since = "2026-03-02T00:00:00.000Z";
    // It waits again, and yet its first attempt may be of another moment than it.
    const waiting = await lab.api<BackupPage>(`/backup/items?since=${since}`);
    expect(waiting.again).toEqual([id]);
    await lab.sync(worker);
    const [second] = (await lab.sync(worker)).start;
    await lab.ship(id, second!.token, 0, [line, result]);

    const { items, cursor } = await lab.api<BackupPage>(`/backup/jobs/${id}`);
    expect(cursor).toBeUndefined();
    expect(items.map(({ key }) => key.sort.replace(/0{11}/, "")).toSorted()).toEqual([
      "attempt#1",
      "chunk#0",
      "chunk.2#0",
      "job",
      "results#0",
      "results.2#0",
    ]);
    const to = await newLab();
    // A chunk of the second attempt that the job does not know of yet goes, those of the first stay.
    const late = structuredClone(itemOf(items, `job#${id} chunk.2#000000000000`));
    late.key.sort = "chunk.2#000000000002";
    Object.assign(late.data, { first_line: 2 });
    await restore(to, [...(await allItems()), late]);
    expect(await to.job(id)).toMatchObject({ attempt: 2, earlier_attempts: [{ log_lines: 3 }] });
    const results = await to.api<{ results: unknown[] }>(`/jobs/${id}/results?attempt=1`);
    expect(results.results).toHaveLength(1);
    const chunks = await to.api<{ chunks: unknown[] }>(`/jobs/${id}/log-chunks`);
    expect(chunks.chunks).toHaveLength(1);
  });

  test("still waits for the worker that it has left, whose device is held", async () => {
    await lab.sync(worker);
    const id = await lab.submit(RETRIED);
    await lab.sync(worker);
    await lab.sync(worker, [running(id)]);
    lab.pass(3600);
    await tick(lab.deps);
    await lab.settled();
    const { device } = itemOf(await allItems(), `job#${id} attempt#000000000001`).data as JobRecord;
    const items = await allItems();
    const to = await newLab();
    // Read before the attempt's end.
    const old = items.filter((item) => nameOf(item) !== `worker#bench assignments`);
    await restore(to, old);
    await to.deps.blobs.put(definitionBlob(id), new TextEncoder().encode(RETRIED));
    expect((await to.deps.table.get(assignmentsKey("bench")))?.data).toEqual({ job_ids: [id] });
    expect((await to.sync(worker, [running(id)])).cancel).toEqual([id]);
    const held = await to.api<DeviceView>(`/devices/${device}`);
    expect(held).toMatchObject({ state: "Running", current_job: id });
    await to.sync(worker);
    expect(await to.api<DeviceView>(`/devices/${device}`)).not.toHaveProperty("state", "Running");
    expect((await to.job(id)).state).toBe("Scheduled");
  });

  test("holds no device that has gone on to another job", async () => {
    await lab.sync(worker);
    const id = await lab.submit(RETRIED);
    await lab.sync(worker);
    await lab.sync(worker, [running(id)]);
    lab.pass(3600);
    await tick(lab.deps);
    await lab.settled();
    const items = await allItems();
    const { device } = itemOf(items, `job#${id} attempt#000000000001`).data as JobRecord;
    Object.assign(itemOf(items, `device#${device} device`).data, { state: "Idle" });
    delete (itemOf(items, `device#${device} device`).data as { current_job?: number }).current_job;
    const to = await newLab();
    await restore(to, items);
    await to.deps.blobs.put(definitionBlob(id), new TextEncoder().encode(RETRIED));
    expect(await to.api<DeviceView>(`/devices/${device}`)).toMatchObject({ state: "Idle" });
    await to.sync(worker);
    expect((await to.job(id)).state).toBe("Scheduled");
  });
});

test("settings, quotas, reservations, windows and queue time-outs come along, and a quota's place is its job's or nobody's", async () => {
  await lab.api("/settings", {
    method: "PUT",
    body: { settings: { quotas: { default: { running: 2, waiting: 5 } } } },
  });
  const window = { lab: true, from: "2026-03-02T11:00:00Z", to: "2026-03-02T12:00:00Z" };
  await lab.api("/windows/cables", { method: "PUT", body: window });
  await lab.api("/reservations", { body: { device: "qemu-02", seconds: 3600 } });
  await lab.sync(worker);
  const ended = await lab.submit(aJob({ lines: ["device: qemu-01"] }));
  const waiting = await lab.submit(
    aJob({ lines: ["device: qemu-01"] }).replace(
      "{minutes: 10}",
      "{minutes: 10}\n  queue: {days: 1}",
    ),
  );
  const items = await allItems();
  const slots = items.filter(({ key }) => key.partition === "quota#user/admin");
  expect(slots.map(({ key }) => key.sort.split("#")[0])).toEqual(["running", "waiting"]);
  const { start } = await lab.sync(worker);
  await lab.finish(ended, start[0]!.token, { result: "pass", lines: 0 });
  // The jobs were read after their places.
  const later = await allItems();
  const jobs = later.filter(({ key }) => key.sort === "job" || key.partition.startsWith("device#"));
  const stale = items.map((item) => jobs.find((job) => nameOf(job) === nameOf(item)) ?? item);

  const other = await newLab();
  await restore(other, stale);
  expect(await other.api("/settings")).toMatchObject({
    settings: { quotas: { default: { running: 2, waiting: 5 } } },
  });
  expect(await other.api("/windows")).toMatchObject({ windows: [{ name: "cables" }] });
  expect(await other.api("/devices/qemu-02")).toMatchObject({ reservation: { holder: "admin" } });
  const kept = await other.deps.table.query<{ job: number }>("main", "quota#user/admin");
  const { state } = await lab.job(waiting);
  expect(state).toBe("Scheduled");
  for (const { data } of kept.items) expect(data.job).toBe(waiting);
  expect((await other.deps.table.query("main", "queue-deadlines")).items).toHaveLength(1);
  other.pass(2 * 24 * 3600);
  await tick(other.deps);
  expect((await other.deps.table.query("main", "queue-deadlines")).items).toHaveLength(0);
});
