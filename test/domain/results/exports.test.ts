import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { CaseList, JobMetadata, SuiteList } from "#protocol/results.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { resultLine, testedJob } from "../../support/tested-job.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const text = async (where: string) => (await lab.request(where)).text();

const RECORDS = [
  { lvl: "info", msg: "hello" },
  resultLine("0_storage", "disk-speed", "pass", {
    measurement: "12345678901234567.25",
    units: "MB/s",
    starttc: 0,
    endtc: 1,
  }),
  resultLine("0_storage", 'a "b"', "fail", { set: "first" }),
  resultLine("1_net", "ping # 1", "skip"),
  resultLine("0_storage", "odd", "unknown"),
  resultLine("lava", "job", "pass", { duration: "3.50" }),
];

describe("suites", () => {
  test("a job's suites have their counts, sets and where they stand", async () => {
    const id = await testedJob(lab, worker, RECORDS);
    const { suites } = await lab.api<SuiteList>(`/jobs/${id}/suites`);
    expect(suites).toEqual([
      {
        ...{ name: "0_storage", first_line: 1, last_line: 4, sets: ["first"] },
        ...{ pass: 1, fail: 1, skip: 0, unknown: 1 },
      },
      { name: "1_net", first_line: 3, last_line: 3, pass: 0, fail: 0, skip: 1, unknown: 0 },
      { name: "lava", first_line: 5, last_line: 5, pass: 1, fail: 0, skip: 0, unknown: 0 },
    ]);
  });

  test("cases come in pages, also where other suites' stand between them", async () => {
    const id = await testedJob(lab, worker, RECORDS);
    const where = `/jobs/${id}/suites/0_storage/cases?limit=2`;
    const first = await lab.api<CaseList>(where);
    expect(first.cases.map(({ name }) => name)).toEqual(["disk-speed", 'a "b"']);
    const second = await lab.api<CaseList>(`${where}&cursor=${first.next_cursor}`);
    expect(second).toMatchObject({ cases: [{ name: "odd" }] });
    expect(second.next_cursor).toBeUndefined();
  });

  test("a suite that is not there is named, with those that are", async () => {
    const id = await testedJob(lab, worker, RECORDS);
    const answer = await lab.request(`/jobs/${id}/suites/none/cases`);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain("it has 0_storage, 1_net, lava");
  });

  test("results that a failed attempt left are marked and in no count", async () => {
    const id = await testedJob(lab, worker, [
      resultLine("0_a", "one", "fail"),
      resultLine("lava", "test-shell", "fail", { retried: true, attempt_start: 0 }),
      resultLine("0_a", "one", "pass"),
    ]);
    const { suites } = await lab.api<SuiteList>(`/jobs/${id}/suites`);
    expect(suites[0]).toMatchObject({ name: "0_a", pass: 1, fail: 0 });
    const { cases } = await lab.api<CaseList>(`/jobs/${id}/suites/0_a/cases`);
    expect(cases.map(({ retried }) => retried)).toEqual([true, undefined]);
  });

  test("a job that runs has the suites that it has so far", async () => {
    await lab.sync(worker);
    const id = await lab.submit();
    const token = (await lab.sync(worker)).start[0]!.token;
    await lab.sync(worker, [{ job_id: id, state: "running" }]);
    await lab.ship(id, token, 0, [resultLine("0_a", "one", "pass")]);
    expect((await lab.api<SuiteList>(`/jobs/${id}/suites`)).suites).toMatchObject([{ pass: 1 }]);
    await lab.ship(id, token, 1, [resultLine("0_a", "two", "pass")]);
    expect((await lab.api<SuiteList>(`/jobs/${id}/suites`)).suites).toMatchObject([{ pass: 2 }]);
  });

  test("many results are a blob, not a large item", async () => {
    const many = Array.from({ length: 3000 }, (_, n) =>
      resultLine("0_many", `a case with a long name, number ${n}`, n % 3 === 0 ? "fail" : "pass"),
    );
    const id = await testedJob(lab, worker, many);
    for (let again = 0; again < 2; again++) {
      const { suites } = await lab.api<SuiteList>(`/jobs/${id}/suites`);
      expect(suites).toMatchObject([{ name: "0_many", pass: 2000, fail: 1000 }]);
    }
    const csv = await text(`/jobs/${id}/results.csv`);
    expect(csv.split("\r\n")).toHaveLength(3002);
    const json = JSON.parse(await text(`/jobs/${id}/results.json`)) as { results: unknown[] };
    expect(json.results).toHaveLength(3000);
    expect(parse(await text(`/jobs/${id}/results.yaml`))).toHaveLength(3000);
  });

  test("attributes of a job are its definition's metadata, as text", async () => {
    const lines = ["metadata: {build: 42, branch: main, tags: [a, b]}"];
    const id = await testedJob(lab, worker, [], { lines });
    expect((await lab.api<JobMetadata>(`/jobs/${id}/metadata`)).metadata).toEqual({
      ...{ build: "42", branch: "main", tags: '["a","b"]' },
    });
  });
});

describe("exports", () => {
  test("CSV has LAVA's fields in its order, each quoted", async () => {
    const id = await testedJob(lab, worker, RECORDS);
    const rows = (await text(`/jobs/${id}/results.csv`)).split("\r\n");
    expect(rows[0]).toBe(
      '"job","suite","result","measurement","unit","duration","timeout","logged","level","metadata","url","name","id","log_start_line","log_end_line"',
    );
    expect(rows[1]).toMatch(
      /^"1","0_storage","pass","12345678901234567\.2500000000","MB\/s","","","2026-03-01 12:00:00\.120331\+00:00","","\{.*\}","\/results\/1\/0_storage\/disk-speed","disk-speed","1","0","1"$/,
    );
    expect(rows[2]).toContain('"None"');
    expect(rows[2]).toContain('"a ""b"""');
  });

  test("YAML has LAVA's fields, every value text, the measurement exact", async () => {
    const id = await testedJob(lab, worker, RECORDS);
    const cases = parse(await text(`/jobs/${id}/results.yaml`)) as Record<string, unknown>[];
    expect(Object.keys(cases[0]!)).toEqual([
      ...["name", "job", "suite", "result", "measurement", "unit", "level", "url", "id", "logged"],
      ...["log_start_line", "log_end_line", "metadata"],
    ]);
    expect(cases[0]).toMatchObject({ job: "1", measurement: "12345678901234567.2500000000" });
  });

  test("TAP 13 says skip and unknown by directives", async () => {
    const id = await testedJob(lab, worker, RECORDS);
    expect(await text(`/jobs/${id}/results.tap`)).toBe(`TAP version 13
1..5
ok 1 - 0_storage disk-speed
not ok 2 - 0_storage first a "b"
ok 3 - 1_net ping \\# 1 # SKIP
not ok 4 - 0_storage odd # TODO unknown result
ok 5 - lava job
`);
  });

  test("each is there for a suite by itself", async () => {
    const id = await testedJob(lab, worker, RECORDS);
    const where = `/jobs/${id}/suites/1_net/results`;
    expect(await text(`${where}.tap`)).toContain("1..1\nok 1 - 1_net ping");
    expect((await text(`${where}.csv`)).split("\r\n")).toHaveLength(3);
    const junit = await text(`${where}.junit.xml`);
    expect(junit).toContain('<testsuite name="1_net"');
    expect(junit).not.toContain("0_storage");
  });

  test("a job without results exports as an empty document of its kind", async () => {
    const id = await testedJob(lab, worker, []);
    expect(await text(`/jobs/${id}/results.yaml`)).toBe("[]\n");
    expect(await text(`/jobs/${id}/results.tap`)).toBe("TAP version 13\n1..0\n");
    expect(JSON.parse(await text(`/jobs/${id}/results.json`))).toEqual({ results: [] });
  });

  test("a format that is not there is refused with those that are", async () => {
    const id = await testedJob(lab, worker, []);
    const answer = await lab.request(`/jobs/${id}/results.xls`);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain("results.yaml, results.csv");
  });
});
