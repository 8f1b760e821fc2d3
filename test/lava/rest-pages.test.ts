import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { MOST_WALKED, walkJobs } from "../../control-plane/domain/walk-jobs.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";
import { restClient } from "../support/rest-client.ts";

/** More jobs than one walk looks at, of which retention has removed some in the middle; every tenth is ann's. */
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
    health: id % 3 === 0 ? "Incomplete" : "Complete",
    description: `job ${JOBS - id}`,
    device_type: "qemu",
    submitter: id % 10 === 0 ? "ann" : "bob",
    priority: 50,
    tags: [],
    submit_time: new Date(Date.parse("2026-02-01T00:00:00Z") + id * 1000).toISOString(),
    log_lines: 0,
  }));
  for (let at = 0; at < jobs.length; at += 50) {
    await lab.deps.table.transact(
      jobs.slice(at, at + 50).map((job) => ({ put: jobItem(job), when: "absent" as const })),
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
describe("the links of a list lead to each job once, in order", () => {
  test.each([
    ["limit=200", newest],
    ["limit=200&ordering=id", IDS],
    ["limit=200&ordering=-submit_time", newest],
    ["limit=30&submitter__username=ann", newest.filter((id) => id % 10 === 0)],
    ["limit=200&health=Incomplete", newest.filter((id) => id % 3 === 0)],
    ["limit=200&health=Incomplete&ordering=id", IDS.filter((id) => id % 3 === 0)],
    ["limit=50&id__gt=100&id__lte=250&ordering=id", IDS.filter((id) => id > 100 && id <= 250)],
    ["limit=200&id__lt=130&health=Complete", newest.filter((id) => id < 130 && id % 3 > 0)],
    // Only where the last look goes.
    ["limit=200&description=job%201129", [1]],
  ])("%s", async (query, wanted) => {
    expect((await follow(query)).ids).toEqual(wanted);
  });
});

test("without a filter a page far behind costs no more than the first, and the count is that of the ids", async () => {
  const [, page] = await json("jobs/?limit=3&offset=1100");
  expect(page.results.map(({ id }) => id)).toEqual([30, 29, 28]);
  expect(page.count).toBe(JOBS);
  const [, beyond] = await json("jobs/?offset=99999999");
  expect(beyond).toMatchObject({ count: JOBS, next: null, results: [] });
});

test("another order than that of submission is refused where it can't be had, with what to do", async () => {
  const [status, body] = await json("jobs/?ordering=description");
  expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining("id__gt")]);
  const [, page] = await json("jobs/?ordering=description&submitter__username=ann&limit=2");
  expect(page.results.map(({ id }) => id)).toEqual([1130, 1120]);
});

test("limits are what they say up to a bound", async () => {
  expect((await json("jobs/?limit=100000"))[1].results).toHaveLength(200);
  expect((await json("jobs/?limit=nonsense&offset=-3"))[1].results).toHaveLength(50);
  expect(
    (await ask(`jobs/?id__in=${Array.from({ length: 300 }, (_n, id) => id).join(",")}`)).status,
  ).toBe(400);
});

test("walks of any length go on where the one before has ended", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("newest" as const, "oldest" as const),
      fc.integer({ min: 60, max: 700 }),
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 700, max: JOBS }),
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
