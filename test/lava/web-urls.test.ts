import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PAGES } from "../../control-plane/lava/web-urls/bookmarks.ts";
import { aJob } from "../support/builders.ts";
import { aGroupJob } from "../support/group-job.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let id: number;
let cookie: Record<string, string>;
beforeAll(async () => {
  lab = await embeddedLab();
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  id = await lab.submit();
  const { start } = await lab.sync(worker);
  const { token } = start[0]!;
  await lab.ship(id, token, 0, RECORDS);
  await lab.finish(id, token, { result: "pass", lines: RECORDS.length });
  const { url } = await lab.api<{ url: string }>("/sign-in-links", { method: "POST" });
  const signedIn = await lab.request("/sign-in", {
    token: null,
    body: new URL(url).searchParams.toString(),
    headers: { "sec-fetch-site": "same-origin" },
  });
  cookie = { cookie: signedIn.headers.get("set-cookie")!.split(";")[0]! };
});
afterAll(() => lab.close());

const at = (n: number) => `2026-03-01T12:00:0${n}.000001+00:00`;
const RECORDS = [
  { dt: at(0), lvl: "info", msg: "begins" },
  { dt: at(1), lvl: "results", msg: { definition: "0_t", case: "ok", result: "pass" } },
  { dt: at(2), lvl: "results", msg: { definition: "lava", case: "job", result: "pass" } },
];
const ask = (where: string, token: string | null = lab.adminToken) =>
  lab.app.request(where, {
    headers: token === null ? {} : { authorization: `Token ${token}` },
  });

describe("what scripts fetch", () => {
  test("the definition is what was submitted, byte for byte", async () => {
    const answer = await ask(`/scheduler/job/${id}/definition/plain`);
    expect(answer.headers.get("content-type")).toContain("text/plain");
    expect(answer.headers.get("content-disposition")).toBe(`attachment; filename=job_${id}.yaml`);
    expect(await answer.text()).toBe(aJob());
  });

  test("the definition of a multinode group is that of all its jobs", async () => {
    await lab.addDevice("qemu-02");
    const member = await lab.submit(aGroupJob());
    const answer = await ask(`/scheduler/job/${member}/multinode_definition/plain`);
    expect([answer.status, await answer.text()]).toEqual([200, aGroupJob()]);
    expect((await ask(`/scheduler/job/${id}/multinode_definition/plain`)).status).toBe(404);
  });

  test("the log is a file of LAVA's lines", async () => {
    const answer = await ask(`/scheduler/job/${id}/log_file/plain`);
    expect(answer.headers.get("content-type")).toBe("application/yaml");
    expect(answer.headers.get("content-disposition")).toBe(`attachment; filename=job_${id}.log`);
    const text = await answer.text();
    expect(text.split("\n")[0]).toBe(
      '- {"dt": "2026-03-01T12:00:00.000001", "lvl": "info", "msg": "begins"}',
    );
    expect(text.trim().split("\n")).toHaveLength(RECORDS.length);
  });

  test("the log comes bit by bit as JSON, and says when that was all", async () => {
    const answer = await ask(`/scheduler/job/${id}/log_pipeline_incremental?line=1`);
    expect(answer.headers.get("x-is-finished")).toBe("1");
    expect(await answer.json()).toMatchObject([{ lvl: "results" }, { lvl: "results" }]);
    const rest = await ask(`/scheduler/job/${id}/log_pipeline_incremental?line=500`);
    expect(await rest.json()).toEqual([]);
  });

  test("the status says when the job is over", async () => {
    expect(await (await ask(`/scheduler/job/${id}/job_status`)).json()).toMatchObject({
      actual_device: "qemu-01",
      job_state: "Complete",
      "X-JobState": "1",
    });
  });

  test("a device's configuration is YAML", async () => {
    const answer = await ask("/scheduler/device/qemu-01/devicedict/plain");
    expect(answer.headers.get("content-type")).toContain("text/yaml");
    expect(await answer.text()).toContain("available_architectures");
  });

  test.each([
    ["csv", "text/csv", /^"job","suite".*\r\n"\d+","0_t","pass"/],
    ["yaml", "text/yaml", /^- id: '\d+'/],
    ["junit", "application/xml", /<testsuites tests="2"/],
    ["0_t/csv", "text/csv", /^"job","suite".*\r\n"\d+","0_t","pass"[^\r]*\r\n$/],
    ["0_t/yaml", "text/yaml", /suite: 0_t/],
    ["0_t/junit", "application/xml", /<testsuites tests="1"/],
  ])("results as %s", async (where, type, wanted) => {
    const answer = await ask(`/results/${id}/${where}`);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toContain(type);
    expect(await answer.text()).toMatch(wanted);
  });

  test("what is not there is 404, what may not be seen too, and nobody is asked for a token", async () => {
    const { token } = await lab.addStranger("eve");
    for (const where of [
      `/scheduler/job/${id}/definition/plain`,
      `/scheduler/job/${id}/log_file/plain`,
      `/results/${id}/csv`,
      "/scheduler/device/qemu-01/devicedict/plain",
    ]) {
      expect((await ask(where, token)).status).toBe(404);
      expect((await ask(where, null)).status).toBe(401);
      expect((await ask(where.replace(`/${id}/`, "/999/").replace("-01", "-99"))).status).toBe(404);
    }
    expect((await ask(`/results/${id}/nosuch/csv`)).status).toBe(404);
  });

  test("a token in the address is refused with what to do", async () => {
    const answer = await ask(`/results/${id}/csv?user=admin&token=x`, null);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("header")]);
  });
});

describe("people's bookmarks lead to our pages", () => {
  test.each([
    ["/scheduler/", "/"],
    ["/scheduler/job/7", "/jobs/7"],
    ["/scheduler/job/7/definition", "/jobs/7/definition"],
    ["/scheduler/job/7/resubmit", "/submit?from=7"],
    ["/scheduler/alljobs", "/"],
    ["/scheduler/jobs/active", "/?state=Running"],
    ["/scheduler/queue", "/queue"],
    ["/scheduler/alldevices", "/devices"],
    ["/scheduler/device/qemu-01", "/devices/qemu-01"],
    ["/scheduler/device_type/qemu", "/?device_type=qemu"],
    ["/scheduler/worker/bench", "/workers/bench"],
    ["/scheduler/allworkers", "/workers"],
    ["/results/", "/tests/latest"],
    ["/results/7", "/jobs/7/suites"],
    ["/results/7/0_t", "/jobs/7/suites/0_t"],
    ["/results/7/0_t/ok", "/jobs/7/suites/0_t/ok"],
    ["/results/query/~ann/nightly", "/queries/ann/nightly"],
    ["/scheduler/device/a%2F%2Fb", "/devices/a%2F%2Fb"],
  ])("%s", async (where, wanted) => {
    const answer = await ask(where, null);
    expect([answer.status, answer.headers.get("location")]).toEqual([302, wanted]);
  });

  test.each(PAGES)("%s is a page of ours, or leads to one", async (from, to) => {
    const where = from.replace(/:\w+(\{[^}]*\})?/g, (_whole, shape = "") =>
      shape.includes("~") ? "~7" : "7",
    );
    const led = (await ask(where)).headers.get("location")!;
    expect(led).toBe(to.replace(/:\w+/g, "7"));
    const page = await lab.app.request(led.replace(/(jobs\/|from=)7/, `$1${id}`), {
      headers: cookie,
    });
    // There is no device, worker, query or suite of this name.
    expect(page.status).toBe(/^\/(devices|workers|queries)\/7|suites\/7/.test(led) ? 404 : 200);
  });

  test("to a test case by its number, for those who may see it", async () => {
    const csv = await (await ask(`/results/${id}/0_t/yaml`)).text();
    const url = /url: (\S+)/.exec(csv)![1]!;
    const answer = await ask(url);
    expect([answer.status, answer.headers.get("location")]).toEqual([
      302,
      `/jobs/${id}?start=0#L2`,
    ]);
    expect((await ask("/results/testcase/17")).status).toBe(404);
    expect((await ask(url, null)).status).toBe(401);
  });

  test("a worker's own addresses are not among them", async () => {
    expect((await ask("/scheduler/internal/v1/workers/bench/")).status).toBe(400);
  });
});
