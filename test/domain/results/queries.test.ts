import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Chart, Comparison, FlakyList, QueryAnswer, QueryList } from "#protocol/queries.ts";
import { aJob } from "../../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { resultLine, runsTo, testedJob } from "../../support/tested-job.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const run = (conditions: string, more = "") =>
  lab.api<QueryAnswer>(`/queries/run?conditions=${encodeURIComponent(conditions)}${more}`);
const ids = ({ rows }: QueryAnswer) => rows.map(({ job }) => job.id);
const save = (where: string, body: object, token?: string) =>
  lab.request(`/queries/${where}`, { method: "PUT", body, ...(token ? { token } : {}) });
const job = (records: object[], build?: string) =>
  testedJob(lab, worker, records, {
    lines: build === undefined ? [] : [`metadata: {build: "${build}"}`],
  });
const boots = (result: string, more = {}) => resultLine("0_smoke", "boots", result, more);

describe("conditions", () => {
  test("are AND-ed, over job, suite, case and attributes", async () => {
    await job([boots("pass")], "1");
    await job([boots("fail"), resultLine("1_net", "ping", "pass")], "1");
    await job([boots("fail")], "2");
    expect(ids(await run(""))).toEqual([3, 2, 1]);
    expect(ids(await run("testcase__result__exact__fail"))).toEqual([3, 2]);
    expect(ids(await run("testcase__result__fail,metadata__build__1"))).toEqual([2]);
    expect(ids(await run("testsuite__name__icontains__NET"))).toEqual([2]);
    // One and the same case has to fit all that is asked of cases.
    expect(ids(await run("testcase__name__ping,testcase__result__fail"))).toEqual([]);
    expect(ids(await run("health__exact__Complete,submitter__iexact__ADMIN"))).toEqual([3, 2, 1]);
    expect(ids(await run("health__ne__Complete"))).toEqual([]);
    expect(ids(await run("job__gt__1,job__lt__3"))).toEqual([2]);
    expect(ids(await run("start_time__gt__2026-03-01 11:00:00"))).toEqual([3, 2, 1]);
    expect(ids(await run("end_time__lt__2026-03-01"))).toEqual([]);
    expect(ids(await run("actual_device__qemu-01,priority__medium"))).toEqual([3, 2, 1]);
    expect(ids(await run("metadata__build__ne__1"))).toEqual([3]);
  });

  test.each([
    ["colour__exact__red", "testjob has no field colour: expected job, id, submitter"],
    ["start_time__gt__soon", "expected a time"],
    ["priority__gt__urgent", "expected a number"],
    ["health_check__perhaps", "expected true or false"],
    ["health", "expected [table__]field__[operator__]value"],
  ])("%s is refused: %s", async (text, message) => {
    const answer = await lab.request(`/queries/run?conditions=${encodeURIComponent(text)}`);
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain(message);
  });

  test("a measurement is compared as a number", async () => {
    await job([boots("pass", { measurement: "9.5" })]);
    await job([boots("pass", { measurement: "10" })]);
    expect(ids(await run("testcase__measurement__gt__9.75"))).toEqual([2]);
  });
});

describe("rows", () => {
  test("are jobs, suites or cases", async () => {
    await job([boots("pass"), boots("fail"), resultLine("1_net", "ping", "pass")]);
    const suites = await run("testcase__result__fail", "&entity=testsuite");
    expect(suites.rows).toMatchObject([{ suite: { name: "0_smoke", pass: 1, fail: 1 } }]);
    const cases = await run("testsuite__name__1_net", "&entity=testcase");
    expect(cases.rows).toMatchObject([{ case: { suite: "1_net", name: "ping", result: "pass" } }]);
  });

  test("come in pages that go on within a job, and say how far they looked", async () => {
    await job([boots("pass"), boots("fail"), boots("skip")]);
    await job([boots("pass"), boots("fail")]);
    const results: string[] = [];
    let cursor = "";
    let pages = 0;
    do {
      const page = await run("testsuite__name__0_smoke", `&entity=testcase&limit=2${cursor}`);
      results.push(...page.rows.map((row) => `${row.job.id} ${row.case?.result}`));
      cursor = page.next_cursor === undefined ? "" : `&cursor=${page.next_cursor}`;
      expect(page.oldest).toBeGreaterThan(0);
      pages += 1;
    } while (cursor !== "");
    expect(results).toEqual(["2 pass", "2 fail", "1 pass", "1 fail", "1 skip"]);
    expect(pages).toBe(3);
  });

  test("are only of jobs that whoever asks may see", async () => {
    await job([boots("pass")]);
    const { token } = await lab.addStranger("stranger");
    await save("admin/all", { published: true });
    const where = "/queries/admin/all/run";
    expect(ids(await lab.api<QueryAnswer>(where))).toEqual([1]);
    expect(await lab.api<QueryAnswer>(where, { token })).toMatchObject({ rows: [], looked_at: 1 });
  });
});

describe("a saved query", () => {
  test("is its owner's until it is published, or a group's", async () => {
    const { token } = await lab.addUser("alice");
    const bob = (await lab.addUser("bob")).token;
    await lab.api("/groups/team", { method: "PUT", body: { members: ["bob"] } });
    const names = async (asker: string) =>
      (await lab.api<QueryList>("/queries", { token: asker })).queries.map(({ name }) => name);
    expect((await save("alice/red", { conditions: "health__Incomplete" }, token)).status).toBe(200);
    expect([await names(token), await names(bob)]).toEqual([["red"], []]);
    expect((await lab.request("/queries/alice/red", { token: bob })).status).toBe(404);
    expect((await save("alice/red", {}, bob)).status).toBe(403);
    await save("alice/red", { published: true }, token);
    expect(await names(bob)).toEqual(["red"]);
    expect((await save("alice/red", {}, bob)).status).toBe(403);
    await save("alice/red", { group: "team" }, token);
    expect((await save("alice/red", { group: "team", limit: 20 }, bob)).status).toBe(200);
    const gone = await lab.request("/queries/alice/red", { method: "DELETE", token });
    expect(gone.status).toBe(204);
    expect(await names(token)).toEqual([]);
  });

  test("keeps its conditions in one form, however they were given", async () => {
    await save("admin/text", { conditions: "health__Complete,metadata__build.id__gt__3" });
    const list = [
      { table: "testjob", field: "health", operator: "exact", value: "Complete" },
      { table: "metadata", field: "build.id", operator: "gt", value: "3" },
    ];
    expect(await lab.api("/queries/admin/text")).toMatchObject({ conditions: list, limit: 200 });
    await save("admin/list", { conditions: list });
    expect(await lab.api("/queries/admin/list")).toMatchObject({ conditions: list });
  });
});

describe("charts", () => {
  test("pass rate: percent of what passed or failed, oldest first, without the job's own actions", async () => {
    await job([boots("pass"), boots("fail"), boots("skip"), resultLine("lava", "job", "fail")]);
    await job([boots("pass")]);
    await job([boots("skip")]);
    const { points } = await lab.api<Chart>("/charts/pass-rate");
    expect(points).toMatchObject([
      { job: 1, value: 50, pass: 1, fail: 1, skip: 1 },
      { job: 2, value: 100 },
    ]);
  });

  test("leave out jobs that are omitted, and tell an attribute of each job to group by", async () => {
    await job([boots("pass")], "7");
    await job([boots("fail")], "8");
    await job([boots("pass")]);
    const { points } = await lab.api<Chart>("/charts/pass-rate?omit=2,99&group_by=build");
    expect(points).toMatchObject([{ job: 1, group: "7" }, { job: 3 }]);
    expect(points).toHaveLength(2);
    expect(points[1]).not.toHaveProperty("group");
    expect((await lab.request("/charts/pass-rate?omit=x")).status).toBe(400);
    const other = await lab.api<Chart>("/charts/pass-rate?group_by=constructor");
    expect(other.points.some((point) => "group" in point)).toBe(false);
  });

  test("measurement: the last one of each job, exact, with its units", async () => {
    await job([boots("pass", { measurement: "1.10", units: "s" })]);
    await job([boots("pass", { measurement: "3" }), boots("pass", { measurement: "2.5" })]);
    const chart = await lab.api<Chart>("/charts/measurement?suite=0_smoke&case=boots");
    expect(chart).toMatchObject({
      units: "s",
      points: [
        { job: 1, value: 1.1, exact: "1.1" },
        { job: 2, value: 2.5 },
      ],
    });
  });
});

describe("a comparison", () => {
  const other = (name: string, result: string, more = {}) =>
    resultLine("1_more", name, result, more);

  test("tells regressions from what was fixed, added, removed and changed otherwise", async () => {
    await job([
      ...[boots("pass"), other("a", "fail"), other("b", "skip"), other("gone", "pass")],
      ...[other("same", "pass"), other("speed", "pass", { measurement: 10, units: "MB/s" })],
    ]);
    await job([
      ...[boots("fail"), other("a", "pass"), other("b", "pass"), other("new", "pass")],
      ...[other("same", "pass"), other("speed", "pass", { measurement: "12.5", units: "MB/s" })],
    ]);
    const answer = await lab.api<Comparison>("/compare?before=1&after=2");
    expect(answer).toMatchObject({
      regressions: { count: 1, cases: [{ name: "boots", before: "pass", after: "fail" }] },
      fixed: { count: 1, cases: [{ name: "a" }] },
      changed: { count: 1, cases: [{ name: "b", before: "skip", after: "pass" }] },
      added: { count: 1, cases: [{ name: "new", after: "pass" }] },
      removed: { count: 1, cases: [{ name: "gone", before: "pass" }] },
      same: 2,
      measurements: { cases: [{ name: "speed", before: "10", after: "12.5", percent: 25 }] },
    });
  });

  test("tells those measurements first that moved most, however many there are", async () => {
    const many = (last: number) =>
      Array.from({ length: 501 }, (_none, n) =>
        other(`m${n}`, "pass", { measurement: n === 500 ? last : 100 + last }),
      );
    await job(many(1));
    await job(many(9));
    const { measurements } = await lab.api<Comparison>("/compare?before=1&after=2");
    expect([measurements.count, measurements.cases.length]).toEqual([501, 500]);
    expect(measurements.cases[0]).toMatchObject({ name: "m500", percent: 800 });
  });

  test("of builds takes the last result of each test", async () => {
    await job([boots("fail")]);
    await job([boots("pass")]);
    await job([boots("fail")]);
    const answer = await lab.api<Comparison>("/compare?before=2,1&after=3");
    expect(answer.regressions.count).toBe(1);
  });
});

describe("a flaky test", () => {
  test("changes its result within a build; the score is flips by chances", async () => {
    for (const result of ["pass", "fail", "pass"]) await job([boots(result)], "1");
    const { tests } = await lab.api<FlakyList>("/flaky");
    expect(tests).toEqual([
      {
        ...{ suite: "0_smoke", name: "boots", device_type: "qemu" },
        ...{ pass: 2, fail: 1, flips: 2, chances: 2, score: 1, jobs: [3, 2] },
      },
    ]);
  });

  test("is none whose result changes with the build", async () => {
    await job([boots("pass")], "1");
    await job([boots("fail")], "2");
    expect((await lab.api<FlakyList>("/flaky")).tests).toEqual([]);
    // By another attribute they are of no build.
    expect((await lab.api<FlakyList>("/flaky?by=branch")).tests).toEqual([]);
  });

  test("without attributes, the definition says what the build is", async () => {
    await job([boots("pass")]);
    await job([boots("fail")]);
    const id = await lab.submit(aJob({ name: "another" }));
    await runsTo(lab, worker, id, [boots("pass")]);
    expect((await lab.api<FlakyList>("/flaky")).tests).toMatchObject([
      { flips: 1, pass: 1, fail: 1 },
    ]);
  });

  test("failed attempts count: it passed when nothing was changed", async () => {
    await job([
      boots("fail"),
      resultLine("lava", "test-shell", "fail", { retried: true, attempt_start: 0 }),
      boots("pass"),
    ]);
    expect((await lab.api<FlakyList>("/flaky")).tests).toMatchObject([{ flips: 1, score: 1 }]);
  });
});
