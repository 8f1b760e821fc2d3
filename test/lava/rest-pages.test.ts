import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { MOST_WALKED, walkJobs } from "../../control-plane/domain/walk-jobs.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";
import { restClient } from "../support/rest-client.ts";

/** Many jobs, of which retention has removed some in the middle; every hundredth is ann's and Incomplete. */
const JOBS = MOST_WALKED + 130;
const REMOVED = (id: number) => id > 400 && id <= 420;
const IDS = Array.from({ length: JOBS }, (_none, n) => n + 1).filter((id) => !REMOVED(id));

let lab: EmbeddedLab;
const { ask, json } = restClient(() => lab);
beforeAll(async () => {
  lab = await embeddedLab();
  const jobs = IDS.map((id): JobRecord => ({
    id,
    state: "Finished",
    health: id % 100 === 0 ? "Incomplete" : "Complete",
    description: `job ${JOBS - id}`,
    device_type: "qemu",
    submitter: id % 100 === 0 ? "ann" : "bob",
    priority: 50,
    tags: [],
    submit_time: new Date(Date.parse("2026-02-01T00:00:00Z") + id * 1000).toISOString(),
    log_lines: 0,
  }));
  for (let at = 0; at < jobs.length; at += 100) {
    await lab.deps.table.transact(
      jobs.slice(at, at + 100).map((job) => ({ put: jobItem(job), when: "absent" as const })),
    );
  }
});
afterAll(() => lab.close());

/** Every page of a list, by its links. */
async function follow(query: string): Promise<{ ids: number[]; pages: number }> {
  const ids: number[] = [];
  let pages = 0;
  for (let where: string | null = `jobs/?${query}`; where !== null; pages++) {
    const [status, page] = await json(where);
    expect(status).toBe(200);
    ids.push(...page.results.map(({ id }) => id));
    where = page.next?.replace("http://localhost/api/v0.2/", "") ?? null;
  }
  return { ids, pages };
}

const newest = IDS.toReversed();
const rare = IDS.filter((id) => id % 100 === 0);
describe("the links of a list lead to each job once, in order", () => {
  test.each([
    ["limit=200&offset=19000", IDS.slice(19_000)],
    ["limit=200&ordering=id&offset=19900", IDS.slice(19_900)],
    ["limit=200&ordering=-id&offset=19500", newest.slice(19_500)],
    ["limit=30&submitter__username=ann", rare],
    ["limit=30&ordering=-submit_time&submitter__username=ann", rare.toReversed()],
    ["limit=70&health=Incomplete", rare],
    ["limit=200&health=Incomplete&ordering=-id", rare.toReversed()],
    ["limit=50&id__gt=100&id__lte=250", IDS.filter((id) => id > 100 && id <= 250)],
    ["limit=200&id__lt=130&health=Complete", IDS.filter((id) => id < 130 && id % 100 > 0)],
    // Only where the last look goes.
    ["limit=200&description=job%200", [JOBS]],
  ])("%s", async (query, wanted) => {
    expect((await follow(query)).ids).toEqual(wanted);
  });
});

test("every page is whole, and counts what there is", async () => {
  const [, page] = await json("jobs/?limit=3&ordering=-id&offset=1100");
  expect(page.results.map(({ id }) => id)).toEqual([JOBS - 1100, JOBS - 1101, JOBS - 1102]);
  expect(page.count).toBe(IDS.length);
  const [, beside] = await json("jobs/?limit=3&offset=399");
  expect(beside.results.map(({ id }) => id)).toEqual([400, 421, 422]);
  const [, beyond] = await json("jobs/?offset=99999999");
  expect(beyond).toMatchObject({ count: IDS.length, next: null, results: [] });
  const [, some] = await json("jobs/?health=Incomplete&limit=1&search=JOB");
  expect(some).toMatchObject({ count: rare.length });
  expect(some).not.toHaveProperty("partial");
});

test("any field orders all jobs", async () => {
  const [, page] = await json("jobs/?ordering=-description,id&limit=2&offset=3");
  const texts = IDS.map((id) => ({ id, text: `job ${JOBS - id}` }));
  const wanted = texts.toSorted((a, b) => (a.text < b.text ? 1 : -1)).slice(3, 5);
  expect(page.count).toBe(IDS.length);
  expect(page.results.map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
  const last = "ordering=health,-submit_time&id__gt=200&limit=2";
  expect((await json(`jobs/?${last}`))[1].results[0]?.id).toBe(JOBS);
  const [status, body] = await json("jobs/?ordering=description&offset=200000");
  expect([status, body]).toMatchObject([400, { detail: expect.stringContaining("200000") }]);
});

test("limits are what they say up to a bound", async () => {
  expect((await json("jobs/?limit=256"))[1].results).toHaveLength(256);
  expect((await json("jobs/?limit=100000"))[1].results).toHaveLength(1000);
  expect((await json("jobs/?limit=nonsense&offset=-3"))[1].results).toHaveLength(50);
  const ids = Array.from({ length: 1001 }, (_n, id) => id).join(",");
  expect((await ask(`jobs/?id__in=${ids}`)).status).toBe(400);
});

test("walks of any length go on where the one before has ended", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("newest" as const, "oldest" as const),
      fc.integer({ min: 60, max: 700 }),
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 700, max: 1500 }),
      async (order, steps, least, most) => {
        const found: number[] = [];
        let from: number | undefined;
        do {
          const bounds =
            order === "newest" ? { least, most: from ?? most } : { least: from ?? least, most };
          const walk = { order, steps, ...bounds };
          const { jobs, next } = await walkJobs(
            lab.deps,
            lab.admin,
            walk,
            ({ id }) => id % 2 === 0,
          );
          found.push(...jobs.map(({ id }) => id));
          from = next;
        } while (from !== undefined);
        const wanted = IDS.filter((id) => id >= least && id <= most && id % 2 === 0);
        expect(found).toEqual(order === "newest" ? wanted.toReversed() : wanted);
      },
    ),
    { numRuns: 10 },
  );
});
