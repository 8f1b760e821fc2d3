import { afterEach, beforeEach, expect, test } from "vitest";
import { setDeviceHealth, writeDevice } from "../../control-plane/domain/devices.ts";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { labSettings, writeSettings } from "../../control-plane/domain/lab-settings.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { sync } from "../../control-plane/domain/sync.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { addWorker } from "../../control-plane/domain/workers.ts";
import { aDeviceConfiguration } from "../support/builders.ts";
import { memoryWorld, type MemoryWorld } from "../support/memory-world.ts";

const JOBS = 5000;
/** Of a pass: what it reads once, its lists, and a page of 512 jobs each. */
const MOST_READS = 60;

let world: MemoryWorld;
beforeEach(async () => {
  world = await memoryWorld(() => false);
  const { deps, admin } = world;
  const { token } = await addWorker(deps, admin, { name: "w", description: "", job_limit: 0 });
  const worker = (await authenticate(deps, token))!;
  await addBoard("idle");
  await sync(deps, worker, { protocol: 1, version: "test", runners: [], wait_seconds: 0 });
  await world.settled();
});
afterEach(() => world.close());

async function addBoard(hostname: string): Promise<void> {
  const { deps, admin } = world;
  await writeDevice(deps, admin, hostname, {
    device_type: "qemu",
    worker: "w",
    tags: [],
    description: "",
    comment: "",
    configuration: aDeviceConfiguration(),
  });
  await setDeviceHealth(deps, admin, hostname, { health: "Good" });
}

const aWaitingJob = (id: number, more: Partial<JobRecord> = {}): JobRecord => ({
  id,
  state: "Submitted",
  health: "Unknown",
  description: "",
  device_type: "qemu",
  requested_device: "busy",
  submitter: "admin",
  priority: 50,
  tags: [],
  submit_time: new Date(Date.parse("2026-03-01T00:00:00Z") + id).toISOString(),
  log_lines: 0,
  ...more,
});

async function queue(jobs: readonly JobRecord[]): Promise<void> {
  for (let at = 0; at < jobs.length; at += 100) {
    const some = jobs.slice(at, at + 100);
    await world.deps.table.transact(some.map((job) => ({ put: jobItem(job), when: "absent" })));
  }
}

/** How often a pass reads. */
async function readsOfPass(): Promise<number> {
  const { table } = world.deps;
  let reads = 0;
  const counting: typeof table = {
    ...table,
    get: (key) => (reads++, table.get(key)),
    query: (...asked) => (reads++, table.query(...asked)),
  };
  await schedulePass({ ...world.deps, table: counting }, "qemu");
  return reads;
}

const stateOf = async (id: number) => (await world.jobs()).find((job) => job.id === id)?.state;
const ids = (from: number) => Array.from({ length: JOBS }, (_, n) => from + n);

test.each(["off", "user"] as const)(
  "a pass whose idle device suits none of very many jobs reads few pages, fair share %s",
  async (fair_share) => {
    const { deps } = world;
    const { scheduling } = await labSettings(deps);
    await writeSettings(deps, { scheduling: { ...scheduling, fair_share } }, { who: "admin" });
    await queue(ids(1).map((id) => aWaitingJob(id)));
    await schedulePass(deps, "qemu");
    expect(await readsOfPass()).toBeLessThan(MOST_READS);
  },
);

test("the last of very many jobs gets the only device that suits it at once", async () => {
  await queue(ids(1).map((id) => aWaitingJob(id)));
  await queue([aWaitingJob(JOBS + 1, { requested_device: "idle" })]);
  expect(await readsOfPass()).toBeLessThan(MOST_READS);
  expect(await stateOf(JOBS + 1)).toBe("Scheduled");
});

test("a pass that gives its only device to the first of very many jobs reads a few of them", async () => {
  await queue(ids(1).map((id) => aWaitingJob(id, { requested_device: "idle" })));
  expect(await readsOfPass()).toBeLessThan(30);
  expect(await stateOf(1)).toBe("Scheduled");
});
