import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findJobs, type JobSearch } from "../../../control-plane/domain/job-list/find-jobs.ts";
import { packedBlocks } from "../../../control-plane/domain/job-list/job-blocks.ts";
import { jobKey } from "../../../control-plane/domain/keys.ts";
import { jobItem, type JobRecord } from "../../../control-plane/domain/job-record.ts";
import { deleteJob } from "../../../control-plane/domain/retention/delete-job.ts";
import type { Column } from "../../../control-plane/domain/job-list/pack-rows.ts";
import { tick, type Rounds } from "../../../control-plane/domain/tick.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { countingTable } from "../../support/counting-table.ts";
import { fc } from "../../support/property.ts";

const LONG_AGO = "2026-02-01T00:00:00.000Z";
const columns: Column[] = ["health", "description", "priority"];

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

const aJob = (id: number, job: Partial<JobRecord> = {}): JobRecord => ({
  ...{ id, state: "Finished", health: "Complete", description: `job ${id}`, device_type: "qemu" },
  ...{ submitter: "ann", priority: 50, tags: [], log_lines: 0, submit_time: LONG_AGO },
  end_time: LONG_AGO,
  ...job,
});

async function put(jobs: readonly JobRecord[]): Promise<void> {
  for (let at = 0; at < jobs.length; at += 100) {
    const some = jobs.slice(at, at + 100).map((job) => ({ put: jobItem(job) }));
    await lab.deps.table.transact(some);
  }
}

const jobsUpTo = (last: number, of: (id: number) => Partial<JobRecord> = () => ({})) =>
  Array.from({ length: last }, (_none, n) => aJob(n + 1, of(n + 1)));

const find = (search: Partial<JobSearch> = {}, principal = lab.admin) =>
  findJobs(lab.deps, principal, {
    ...{ order: "oldest", columns, offset: 0, limit: 10_000 },
    ...search,
  });
const packed = async () => [...(await packedBlocks(lab.deps, 0, 10 ** 9)).values()];
const all = () => true;
const incomplete = ({ health }: JobRecord) => health === "Incomplete";

test("what has ended is packed by the first who looks, and found again in it", async () => {
  await put(jobsUpTo(3500, (id) => (id % 700 === 0 ? { health: "Incomplete" } : {})));
  const fits = incomplete;
  const first = await find({ fits });
  expect(first).toEqual({ count: 5, ids: [700, 1400, 2100, 2800, 3500] });
  expect((await packed()).map(({ data }) => data.jobs)).toEqual([999, 1000, 1000]);
  // Only what is packed says so: the table has it otherwise.
  await put([aJob(1400, { health: "Canceled" })]);
  expect(await find({ fits })).toEqual(first);
  expect(await find({ fits, order: "newest", offset: 1, limit: 2 })).toEqual({
    ...{ count: 5, ids: [2800, 2100] },
  });
});

test("jobs that have not ended are looked at as they are, until they have", async () => {
  const running = { state: "Running", health: "Unknown" } as const;
  await put(jobsUpTo(1500, (id) => (id === 7 ? running : {})));
  const fits = incomplete;
  expect((await find({ fits })).ids).toEqual([]);
  expect((await packed())[0]?.data).toMatchObject({ jobs: 998, open: [7] });
  const end_time = new Date(lab.deps.system.now()).toISOString();
  await put([aJob(7, { health: "Incomplete", end_time })]);
  expect((await find({ fits })).ids).toEqual([7]);
  expect((await packed())[0]?.data).toMatchObject({ open: [7] });
  lab.pass(600);
  expect((await find({ fits })).ids).toEqual([7]);
  expect((await packed())[0]?.data).toMatchObject({ jobs: 999, open: [] });
  expect((await find()).count).toBe(1500);
});

test("a job that a silent worker may still end is never packed", async () => {
  await put(jobsUpTo(1500, (id) => (id === 7 ? { taken_back: true } : {})));
  await find();
  await put([aJob(7, { health: "Incomplete" })]);
  expect((await find({ fits: incomplete })).ids).toEqual([7]);
});

test("a job that is removed is gone from the list at once", async () => {
  await put(jobsUpTo(1500));
  expect((await find()).count).toBe(1500);
  await deleteJob(lab.deps, lab.admin, 12);
  expect((await find()).count).toBe(1499);
  expect((await packed())[0]?.data.stale).toBeDefined();
  lab.pass(600);
  expect((await find({ limit: 12, fits: all })).ids.at(-1)).toBe(13);
  expect((await find({ limit: 12 })).ids.at(-1)).toBe(13);
  expect((await packed())[0]?.data).toMatchObject({ jobs: 998 });
});

test("a job that an older version has removed is gone once a page has missed it", async () => {
  await put(jobsUpTo(1500));
  const list = async () => {
    const address = "/api/v0.2/jobs/?health=Complete&limit=20";
    const headers = { authorization: `Token ${lab.adminToken}` };
    return (await (await lab.app.request(address, { headers })).json()) as { count: number };
  };
  expect(await list()).toMatchObject({ count: 1500 });
  // It knows of no blocks.
  await lab.deps.table.transact([{ delete: jobKey(12) }]);
  expect(await list()).toMatchObject({ count: 1500 });
  expect(await list()).toMatchObject({ count: 1499 });
  lab.pass(600);
  expect(await list()).toMatchObject({ count: 1499 });
  expect((await packed())[0]?.data).toMatchObject({ jobs: 998 });
});

test("whoever packs while a job is removed does not keep it", async () => {
  await put(jobsUpTo(1500));
  const { blobs } = lab.deps;
  let isRemoved = false;
  const deps = {
    ...lab.deps,
    blobs: {
      ...blobs,
      async put(key: string, bytes: Uint8Array) {
        await blobs.put(key, bytes);
        if (key.startsWith("job-blocks/") && !isRemoved) {
          isRemoved = true;
          await deleteJob(lab.deps, lab.admin, 12);
        }
      },
    },
  };
  const search = { order: "oldest", columns, fits: all, offset: 0, limit: 10 } as const;
  await findJobs(deps, lab.admin, search);
  expect(isRemoved).toBe(true);
  expect((await find()).count).toBe(1499);
});

test("jobs that are forgotten at a time are counted until then", async () => {
  const soon = new Date(lab.deps.system.now() + 60_000).toISOString();
  await put(jobsUpTo(1500, (id) => (id <= 40 ? { expires: soon } : {})));
  expect((await find()).count).toBe(1500);
  expect((await find({ fits: ({ id }) => id < 50 })).count).toBe(49);
  lab.pass(61);
  expect((await find()).count).toBe(1460);
  expect((await find({ fits: ({ id }) => id < 50 })).count).toBe(9);
});

test("of jobs that wait, no more are read than a page has, however many there are", async () => {
  const waits = { state: "Submitted", health: "Unknown" } as const;
  await put(jobsUpTo(4500, () => waits));
  const { table, read } = countingTable(lab.deps.table);
  const page = { columns, offset: 1700, limit: 3 };
  const found = (order: "newest" | "oldest") =>
    findJobs({ ...lab.deps, table }, lab.admin, { ...page, order });
  expect(await found("newest")).toEqual({ count: 4500, ids: [2800, 2799, 2798] });
  expect(await found("oldest")).toEqual({ count: 4500, ids: [1701, 1702, 1703] });
  expect(read.items).toBeLessThan(2500);
  read.items = 0;
  await findJobs({ ...lab.deps, table }, lab.admin, { ...page, order: "newest", offset: 0 });
  expect(read.items).toBeLessThan(20);
});

test("pages of the table that have nothing but what is over hide no job", async () => {
  await put(jobsUpTo(30));
  const { table } = lab.deps;
  const query: typeof table.query = async (index, partition, range) => {
    const page = await table.query<never>(index, partition, range);
    // As DynamoDB, whose indexes know an item until it is removed.
    return range?.cursor === undefined && page.cursor !== undefined
      ? { items: [], cursor: page.cursor }
      : page;
  };
  const deps = { ...lab.deps, table: { ...table, query } };
  const search = { order: "oldest", columns, offset: 0, limit: 10 } as const;
  // The oldest and the newest are the ones that are over here.
  expect(await findJobs(deps, lab.admin, search)).toMatchObject({ count: 28 });
});

test("nobody finds or counts what they may not see", async () => {
  await put(jobsUpTo(2500, (id) => (id % 5 === 0 ? { visibility: "personal" } : {})));
  const { principal } = await lab.addUser("bob");
  for (let look = 0; look < 2; look++) {
    const { count, ids } = await find({}, principal as typeof lab.admin);
    expect(count).toBe(2000);
    expect(ids.some((id) => id % 5 === 0)).toBe(false);
  }
});

test("the tick packs old jobs, a few blocks at a time, and rests when all are", async () => {
  await put(jobsUpTo(7500));
  const rounds: Rounds = {};
  await tick(lab.deps, rounds);
  expect((await packed()).map(({ data }) => data.jobs)).toEqual([999, 1000, 1000, 1000, 1000]);
  await tick(lab.deps, rounds);
  expect(await packed()).toHaveLength(7);
  await put([aJob(8500)]);
  await tick(lab.deps, rounds);
  expect(await packed()).toHaveLength(7);
  lab.pass(3601);
  await tick(lab.deps, rounds);
  expect(await packed()).toHaveLength(8);
});

test("a lab that is only read packs nothing", async () => {
  await put(jobsUpTo(1500));
  const deps = { ...lab.deps, settings: { ...lab.deps.settings, archive: true } };
  const search = { order: "oldest", columns, offset: 0, limit: 1 } as const;
  expect((await findJobs(deps, lab.admin, search)).count).toBe(1500);
  expect(await packed()).toEqual([]);
});

describe("any search is what going through all jobs would give", () => {
  test("whatever the filter, order, bounds and page", async () => {
    const words = ["Complete", "Incomplete", "Canceled"] as const;
    const jobs = jobsUpTo(3300, (id) => ({
      health: words[(id * 7) % 3]!,
      priority: (id * 31) % 101,
      ...(id % 1100 === 3 ? { state: "Running" as const, health: "Unknown" as const } : {}),
    })).filter(({ id }) => id % 13 !== 0 && (id < 1200 || id > 1400));
    await put(jobs);
    const byPriority = (a: JobRecord, b: JobRecord) => b.priority - a.priority;
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          order: fc.constantFrom("newest" as const, "oldest" as const),
          compare: fc.constantFrom(undefined, byPriority),
          least: fc.option(fc.nat(3500), { nil: undefined }),
          most: fc.option(fc.nat(3500), { nil: undefined }),
          fits: fc.constantFrom(undefined, incomplete, ({ priority }: JobRecord) => priority < 3),
          offset: fc.oneof(fc.nat(20), fc.nat(4000)),
          limit: fc.integer({ min: 1, max: 1000 }),
        }),
        async (search) => {
          const { least = 0, most = Infinity, fits = () => true, compare, offset, limit } = search;
          const all = jobs.filter((job) => job.id >= least && job.id <= most && fits(job));
          if (search.order === "newest" && !compare) all.reverse();
          if (compare) all.sort((a, b) => compare(a, b) || a.id - b.id);
          const ids = all.slice(offset, offset + limit).map(({ id }) => id);
          expect(await find(search)).toEqual({ count: all.length, ids });
          expect((await find({ ...search, isCounted: false })).ids).toEqual(ids);
        },
      ),
      { numRuns: 60 },
    );
  });
});
