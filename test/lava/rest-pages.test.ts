import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { MOST_WALKED, walkJobs } from "../../control-plane/domain/walk-jobs.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";
import { restClient } from "../support/rest-client.ts";

/** More jobs than one walk looks at, of which retention has removed some in the middle; every hundredth is ann's and Incomplete. */
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
    ["limit=200&offset=19000", IDS.filter((id) => id > 19_000)],
    ["limit=200&ordering=id&offset=19900", IDS.filter((id) => id > 19_900)],
    ["limit=200&ordering=-id&offset=19500", newest.filter((id) => id <= JOBS - 19_500)],
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

test("without a filter a page far behind costs no more than the first, and the count is that of the ids", async () => {
  const [, page] = await json("jobs/?limit=3&ordering=-id&offset=1100");
  expect(page.results.map(({ id }) => id)).toEqual([JOBS - 1100, JOBS - 1101, JOBS - 1102]);
  expect(page.count).toBe(JOBS);
  const [, beyond] = await json("jobs/?offset=99999999");
  expect(beyond).toMatchObject({ count: JOBS, next: null, results: [] });
});

test("what is not looked at any more is said, and left to the next page", async () => {
  const [, page] = await json("jobs/?health=Incomplete&limit=1");
  const looked = IDS.slice(0, MOST_WALKED);
  expect(page.count).toBe(rare.filter((id) => id <= looked.at(-1)!).length);
  expect(page).toMatchObject({ partial: expect.stringContaining(`from id ${looked.at(-1)! + 1}`) });
  const [, whole] = await json("jobs/?health=Incomplete&limit=1&submitter__username=ann");
  expect(whole.count).toBe(rare.length);
  expect(whole).not.toHaveProperty("partial");
});

test("another order than that of submission is there within what is looked at, else it is refused with what to do", async () => {
  const [status, body] = await json("jobs/?ordering=description");
  expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining("id__gt")]);
  const some = "ordering=-end_time,-id&health=Incomplete&id__gt=200&limit=2";
  expect((await json(`jobs/?${some}`))[1]).toMatchObject({
    count: rare.length - 2,
    results: [{ id: rare.at(-1) }, { id: rare.at(-2) }],
  });
  const [, page] = await json("jobs/?ordering=-description&submitter__username=ann&limit=2");
  expect(page.results).toHaveLength(2);
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
