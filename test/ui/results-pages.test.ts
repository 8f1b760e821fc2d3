import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { QueryAnswer } from "#protocol/queries.ts";
import { labSettings, writeSettings } from "../../control-plane/domain/lab-settings.ts";
import { browserSession, type BrowserSession } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { resultLine, runsTo, testedJob } from "../support/tested-job.ts";

const DAY = 24 * 3600;
const HOSTILE = `<script>alert(1)</script>"'&`;

let lab: EmbeddedLab;
let worker: string;
let browser: BrowserSession;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  browser = await browserSession(lab);
});
afterEach(() => lab.close());

async function show(path: string, status = 200, as = browser): Promise<string> {
  const answer = await as.get(path);
  const text = await answer.text();
  expect(`${path}: ${answer.status} ${answer.status === status ? "" : text}`).toBe(
    `${path}: ${status} `,
  );
  expect(text).not.toContain("<script>");
  return text;
}

/** A job of that name with these results, and its clock. */
async function ran(name: string, results: Record<string, string>, lines: string[] = []) {
  await lab.sync(worker);
  const id = await lab.submit(aJob({ name, lines }));
  const records = Object.entries(results).map(([test, result]) => resultLine("0_a", test, result));
  await runsTo(lab, worker, id, records);
  return id;
}

const rowsIn = (html: string): string[] =>
  [...html.matchAll(/<td class="id"><a href="\/jobs\/(\d+)"/g)].map(([, id]) => id!);

describe("the list of jobs", () => {
  test("filters by words and by days, whose last one counts to its end", async () => {
    await ran("Mainline smoke", {});
    lab.pass(DAY);
    await ran("mainline LTP", {});
    lab.pass(DAY);
    await ran("nightly", {});
    expect(rowsIn(await show("/"))).toEqual(["3", "2", "1"]);
    expect(rowsIn(await show("/?text=MAIN+smoke"))).toEqual(["1"]);
    expect(rowsIn(await show("/?since=2026-03-02"))).toEqual(["3", "2"]);
    expect(rowsIn(await show("/?until=2026-03-02"))).toEqual(["2", "1"]);
    expect(rowsIn(await show("/?since=2026-03-02&until=2026-03-02&text=main"))).toEqual(["2"]);
    expect(rowsIn(await show("/?until=2026-02-20"))).toEqual([]);
    await show("/?since=yesterday", 400);
    const at = "since=2026-03-02T11:59:59Z&until=2026-03-03T12:00:00Z";
    const { jobs } = await lab.api<{ jobs: { id: number }[] }>(`/jobs?text=MAIN&${at}`);
    expect(jobs.map(({ id }) => id)).toEqual([2]);
    expect((await lab.request("/jobs?until=soon")).status).toBe(400);
  });

  test("tells what the tests came to, without what a failed attempt left", async () => {
    await lab.sync(worker);
    const id = await lab.submit();
    const retried = { retried: true, attempt_start: 0 };
    await runsTo(lab, worker, id, [
      resultLine("0_a", "x", "fail"),
      resultLine("lava", "lava-test-shell", "fail", retried),
      resultLine("0_a", "x", "pass"),
      resultLine("0_a", "y", "pass"),
      resultLine("lava", "job", "pass"),
    ]);
    expect((await lab.job(id)).result_counts).toEqual({ pass: 2, fail: 0, skip: 0, unknown: 0 });
    expect(await show("/")).toContain("2 passed, 0 failed, 0 skipped, 0 unknown");
  });

  test("counts anew when a later chunk takes back what came before", async () => {
    const { id, token } = await (
      await import("../support/browser-session.ts")
    ).runningJob(lab, worker);
    await lab.ship(id, token, 0, [resultLine("0_a", "x", "fail"), resultLine("0_a", "y", "pass")]);
    await lab.ship(id, token, 2, [
      resultLine("lava", "lava-test-shell", "fail", { retried: true, attempt_start: 0 }),
      resultLine("0_a", "x", "pass"),
    ]);
    expect((await lab.job(id)).result_counts).toEqual({ pass: 1, fail: 0, skip: 0, unknown: 0 });
  });

  test("keeps views that are the person's own, replaces and removes them", async () => {
    await ran("Mainline smoke", {});
    const form = { name: "My boards", text: "main", health: "Complete", state: "" };
    const answer = await browser.post("/views", form);
    expect([answer.status, answer.headers.get("location")]).toEqual([
      303,
      "/?text=main&health=Complete",
    ]);
    const html = await show("/?health=Complete&text=main");
    expect(html).toMatch(/aria-current="page">My boards</);
    const other = await browserSession(lab, (await lab.addUser("ann")).token);
    expect(await show("/", 200, other)).not.toContain("My boards");
    await browser.post("/views", { name: "My boards", text: "ltp" });
    expect(await show("/")).toContain('href="/?text=ltp">My boards');
    await browser.post("/views/remove", { name: "my-boards" });
    expect(await show("/")).not.toContain("My boards");
  });

  test("means the same by a view in the list and by its saved query", async () => {
    await ran("mainline arm64 smoke", {});
    lab.pass(DAY);
    await ran("smoke of mainline", {});
    lab.pass(DAY);
    await ran("mainline smoke", {});
    await browser.post("/views", {
      ...{ name: "Smoke", text: "mainline  smoke", since: "2026-03-01", until: "2026-03-02" },
    });
    const inList = rowsIn(await show("/?text=mainline+smoke&since=2026-03-01&until=2026-03-02"));
    expect(inList).toEqual(["2", "1"]);
    const { rows } = await lab.api<QueryAnswer>("/queries/admin/smoke/run");
    expect(rows.map(({ job }) => String(job.id))).toEqual(inList);
    expect(await show("/")).toContain(
      'href="/?text=mainline+smoke&amp;since=2026-03-01&amp;until=2026-03-02">Smoke<',
    );
  });

  test("puts no view in the place of a query that is none, and takes no view from others that share it", async () => {
    const conditions = [{ table: "testcase", field: "name", operator: "exact", value: "x" }];
    const query = { description: "of cases", entity: "testcase", limit: 10, published: true };
    const put = async (body: object) => lab.api("/queries/admin/nightly", { method: "PUT", body });
    await put({ ...query, conditions });
    expect((await browser.post("/views", { name: "Nightly", text: "x" })).status).toBe(409);
    expect(await lab.api("/queries/admin/nightly")).toMatchObject(query);
    const jobs = [{ table: "testjob", field: "health", operator: "exact", value: "Complete" }];
    await put({ ...query, entity: "testjob", conditions: jobs });
    expect((await browser.post("/views", { name: "Nightly", text: "x" })).status).toBe(303);
    expect(await lab.api("/queries/admin/nightly")).toMatchObject({ published: true });
  });

  test("keeps no view that says nothing or has no name, and none from another site", async () => {
    expect((await browser.post("/views", { name: "all" })).status).toBe(400);
    expect((await browser.post("/views", { name: "  ", text: "x" })).status).toBe(400);
    expect((await browser.post("/views", { name: "…", text: "x" })).status).toBe(400);
    const elsewhere = { "sec-fetch-site": "cross-site" };
    expect((await browser.post("/views", { name: "x", text: "x" }, elsewhere)).status).toBe(403);
  });

  test("is a file as well, in which nothing is a spreadsheet's formula", async () => {
    await ran("=HYPERLINK(1)", { x: "pass" });
    const csv = await show("/?format=csv");
    expect(csv.split("\r\n")[0]).toContain('"id","state","health","description"');
    expect(csv).toContain(`"'=HYPERLINK(1)"`);
    expect(JSON.parse(await show("/?format=json"))).toMatchObject([{ id: 1, pass: 1 }]);
    expect(await show("/?format=yaml&health=Complete")).toContain("description: =HYPERLINK(1)");
  });
});

describe("queries by form", () => {
  const condition = { table0: "testjob", field0: "health", operator0: "exact", value0: "Complete" };

  test("are made, tried, changed, shared and removed", async () => {
    await ran("smoke", { x: "pass" });
    await show("/queries/new");
    const tried = await browser.post("/queries", { ...condition, do: "try", name: "q" });
    expect(await tried.text()).toContain("#1 smoke");
    const made = await browser.post("/queries", { ...condition, do: "save", name: "q" });
    expect(made.headers.get("location")).toBe("/queries/admin/q");
    expect((await browser.post("/queries", { ...condition, name: "q" })).status).toBe(409);
    const other = await browserSession(lab, (await lab.addUser("ann")).token);
    await show("/queries/admin/q", 404, other);
    await browser.post("/queries/admin/q", { ...condition, published: "on", description: HOSTILE });
    expect(await show("/queries/admin/q", 200, other)).not.toContain("/queries/admin/q/edit");
    await show("/queries/admin/q/edit", 403, other);
    expect((await other.post("/queries/admin/q", condition)).status).toBe(403);
    expect((await other.post("/queries/admin/q/remove")).status).toBe(403);
    expect((await browser.post("/queries/admin/q/remove")).status).toBe(303);
    await show("/queries/admin/q", 404);
  });

  test("say at each condition what is wrong with it, and keep what was typed", async () => {
    const bad = { table0: "testjob", field0: "colour", operator0: "exact", value0: HOSTILE };
    const answer = await browser.post("/queries", { ...bad, do: "save", name: "q" });
    const html = await answer.text();
    expect(answer.status).toBe(400);
    expect(html).toMatch(/aria-describedby="problem-0"/);
    expect(html).toContain("testjob has no field colour");
    expect(html).toContain("&lt;script&gt;alert(1)");
    expect(html).not.toContain("<script>alert");
    expect((await browser.post("/queries", { ...condition, name: "a b" })).status).toBe(400);
    expect((await browser.post("/queries", { ...condition, name: "q", limit: "0" })).status).toBe(
      400,
    );
  });
});

describe("tests over time", () => {
  const build = ["metadata:", "  build: '1'"];

  test("have a row each, say what changed, fails and is flaky, and lead to what did not pass", async () => {
    await ran(
      "smoke",
      { steady: "pass", wobbly: "pass", broken: "pass", [HOSTILE]: "skip" },
      build,
    );
    await ran("smoke", { steady: "pass", wobbly: "fail", broken: "fail" }, build);
    await ran("smoke", { steady: "pass", wobbly: "pass", broken: "fail" }, build);
    const all = await show("/tests");
    expect(all).toContain("4 tests in the newest 3 jobs");
    expect(all).toContain('href="/jobs/2/suites/0_a/wobbly" aria-label="fail"');
    const namesIn = async (path: string) =>
      [...(await show(path)).matchAll(/<th scope="row"><a [^>]*>([^<]*)</g)].map(
        ([, name]) => name,
      );
    expect(await namesIn("/tests?show=changed")).toEqual(["wobbly", "broken"]);
    expect(await namesIn("/tests?show=failing")).toEqual(["broken"]);
    expect(await namesIn("/tests?show=flaky")).toEqual(["wobbly", "broken"]);
    expect(await namesIn("/tests?test=STEADY")).toEqual(["steady"]);
    expect(await namesIn("/tests?name=nothing")).toEqual([]);
    const rows = JSON.parse(await show("/tests?format=json&test=wobbly")) as object[];
    expect(rows).toEqual([
      { suite: "0_a", name: "wobbly", score: 1, "job 3": "pass", "job 2": "fail", "job 1": "pass" },
    ]);
  });

  test("say how flaky a test is only when it ran often enough for a percentage", async () => {
    const flaky = async () =>
      /<td class="number">(.*?)<\/td>/s.exec(await show("/tests?test=wobbly"))![1]!;
    await ran("smoke", { wobbly: "pass", seldom: "pass" }, build);
    expect(await flaky()).toBe("");
    await ran("smoke", { wobbly: "fail", seldom: "fail" }, build);
    for (let n = 0; n < 3; n++) await ran("smoke", { wobbly: "fail" }, build);
    expect(await flaky()).toContain("too few runs");
    expect(await flaky()).toContain("1 of 4 times");
    await ran("smoke", { wobbly: "fail" }, build);
    expect(await flaky()).toContain(">20 %<");
    const page = await show("/tests?show=flaky");
    expect(page).toContain("from 6 runs on");
    // The one with enough runs comes first, though the other one flipped each time.
    expect(page.indexOf(">wobbly<")).toBeLessThan(page.indexOf(">seldom<"));
  });

  test("lead to a suite and to a case with its history", async () => {
    await ran("smoke", { x: "pass", y: "pass" });
    await ran("smoke", { x: "fail" });
    await ran("other", { x: "pass" });
    expect(await show("/jobs/1/suites")).toContain('href="/jobs/1/suites/0_a"');
    expect(await show("/jobs/1/suites/0_a")).toContain('href="/jobs/1/suites/0_a/x"');
    const html = await show("/jobs/2/suites/0_a/x");
    expect(html).toContain('href="/compare?before=1&amp;after=2"');
    expect(html).not.toContain("/jobs/3/");
    await testedJob(lab, worker, [resultLine("0_a", "of a set", "pass", { set: "S" })]);
    expect(await show("/jobs/4/suites/0_a/of%20a%20set")).toContain("S/of a set");
    await show("/jobs/4/suites/0_a/of%20a%20set?set=T", 404);
    await show("/jobs/2/suites/0_b", 404);
    await show("/jobs/2/suites/0_a/y", 404);
    expect(await show("/tests/latest")).toContain('href="/jobs/3/suites/0_a"');
  });
});

describe("comparisons", () => {
  test("are of jobs, of builds and of the newest jobs of a query", async () => {
    await ran("smoke", { x: "pass", y: "fail" });
    await ran("smoke", { x: "fail", y: "pass", z: "pass" });
    const html = await show("/compare?a=1&b=2");
    expect(html).toContain("Regressions: 1");
    expect(html).toContain('href="/jobs/2/suites/0_a/x"');
    await lab.api("/queries/admin/all", { method: "PUT", body: {} });
    expect(await show("/compare?before=1&after=admin/all")).toContain("Regressions: 1");
    expect(await show("/compare?before=1,2&after=2")).toContain("have the same result");
    expect(await show("/compare?before=1&after=2&format=csv")).toContain('"regressions","0_a","x"');
    expect(await show("/compare")).toContain("A side is a job");
    expect(await show("/compare?before=1&after=99", 404)).toContain("there is no job 99");
    expect(await show("/compare?before=1&after=x", 400)).toContain("expected a job");
  });
});

test("nobody is shown tests, results or reports of jobs that they may not see", async () => {
  await ran("confidential", { "secret-test": "pass" });
  await lab.api("/queries/admin/all", { method: "PUT", body: { published: true } });
  const { token } = await lab.addStranger("eve");
  const eve = await browserSession(lab, token);
  for (const path of ["/", "/tests", "/tests/latest", "/queries/admin/all", "/reports"]) {
    const html = await show(path, 200, eve);
    expect(html).not.toMatch(/confidential|secret-test|qemu-01/);
  }
  expect(await show("/reports", 200, eve)).toContain("No job was submitted");
  await show("/jobs/1/suites", 404, eve);
  await show("/jobs/1/suites/0_a/secret-test", 404, eve);
  await show("/compare?before=1&after=1", 404, eve);
});

test("who sees the lab does not see the tests of a personal job of somebody else", async () => {
  await ran("open", { "shared-test": "pass" });
  await lab.sync(worker);
  const personal = aJob({ name: "confidential" }).replace("public", "personal");
  await runsTo(lab, worker, await lab.submit(personal), [resultLine("0_b", "secret-test", "fail")]);
  await lab.api("/queries/admin/cases", {
    method: "PUT",
    body: { published: true, entity: "testcase" },
  });
  const { access } = await labSettings(lab.deps);
  const permissions = { ...access.permissions, view: ["everyone"] };
  await writeSettings(lab.deps, { access: { ...access, permissions } }, { who: "admin" });
  const ann = await browserSession(lab, (await lab.addUser("ann")).token);
  for (const path of [
    "/",
    "/tests",
    "/tests/latest",
    "/queries/admin/cases",
    "/tests?format=csv",
  ]) {
    expect(await show(path)).toMatch(/confidential|secret-test/);
    const html = await show(path, 200, ann);
    expect(html).toMatch(/open|shared-test/);
    expect(html).not.toMatch(/confidential|secret-test|0_b/);
  }
  await show("/jobs/2/suites/0_b/secret-test", 404, ann);
  await show("/compare?before=1&after=2", 404, ann);
});

test("the report tells jobs by day, why they failed, waits and devices", async () => {
  await testedJob(lab, worker, []);
  lab.pass(DAY);
  await lab.sync(worker);
  const id = await lab.submit();
  lab.pass(120);
  const { start } = await lab.sync(worker);
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  lab.pass(3600);
  const { token } = start.find(({ job_id }) => job_id === id)!;
  await lab.finish(id, token, { result: "fail", lines: 0, error_type: "Infrastructure" });
  const html = await show("/reports");
  expect(html).toContain("2026-03-01: 1 Complete");
  expect(html).toContain("2026-03-02: 1 Incomplete");
  expect(html).toMatch(/<th scope="row">Infrastructure<\/th><td class="number">1/);
  const [line] = JSON.parse(await show("/reports?of=devices&format=json")) as object[];
  expect(line).toMatchObject({ name: "qemu-01", Complete: 1, Incomplete: 1, busy_seconds: 3600 });
  expect(line).toMatchObject({ failed: 0.5 });
  const [type] = JSON.parse(await show("/reports?of=types&format=json")) as { wait_p90: number }[];
  expect(type!.wait_p90).toBeGreaterThan(100);
  expect(type!.wait_p90).toBeLessThan(140);
  await show("/reports?days=12", 400);
});
