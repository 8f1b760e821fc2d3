import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { restClient } from "../support/rest-client.ts";

let lab: EmbeddedLab;
let ids: number[];
beforeAll(async () => {
  lab = await embeddedLab();
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  const withMetadata = aJob({ name: "with metadata", lines: ['metadata: {build-id: "12"}'] });
  ids = [];
  for (const text of [aJob(), withMetadata, aJob({ name: "third" })]) {
    ids.push(await lab.submit(text));
  }
  const { start } = await lab.sync(worker);
  const { job_id, token } = start[0]!;
  // The others stay where they are.
  await lab.api("/devices/qemu-01/health", { body: { health: "Maintenance" } });
  await lab.ship(job_id, token, 0, RECORDS);
  await lab.finish(job_id, token, { result: "pass", lines: RECORDS.length });
  await lab.settled();
});
afterAll(() => lab.close());

const at = (n: number) => `2026-03-01T12:00:0${n}.000001+00:00`;
const RECORDS = [
  { dt: at(0), lvl: "info", msg: "begins" },
  { dt: at(1), lvl: "target", msg: "hello" },
  {
    dt: at(2),
    lvl: "results",
    msg: { definition: "0_t", case: "speed", result: "pass", measurement: 93.25, units: "MB" },
  },
  { dt: at(3), lvl: "results", msg: { definition: "0_t", case: "broken", result: "fail" } },
  { dt: at(4), lvl: "results", msg: { definition: "lava", case: "job", result: "pass" } },
];

const { ask, json } = restClient(() => lab);
const idsIn = async (where: string) => {
  const [, page] = await json(where);
  return page.results.map(({ id }: { id: number }) => id);
};

describe("jobs", () => {
  test("are listed oldest first, in pages with the links of LAVA's lists", async () => {
    const [status, page] = await json("jobs/?limit=2");
    expect(status).toBe(200);
    expect(page).toMatchObject({
      count: 3,
      next: "http://localhost/api/v0.2/jobs/?limit=2&offset=2",
      previous: null,
    });
    expect(page.results.map(({ id }: { id: number }) => id)).toEqual([ids[0], ids[1]]);
    const [, last] = await json("jobs/?limit=2&offset=2");
    expect(last).toMatchObject({
      count: 3,
      next: null,
      previous: "http://localhost/api/v0.2/jobs/?limit=2",
      results: [{ id: ids[2] }],
    });
    expect(await idsIn("jobs/?ordering=-id&limit=2")).toEqual([ids[2], ids[1]]);
  });

  test("are told with every field of LAVA's, and no token", async () => {
    const [, job] = await json(`jobs/${ids[1]}/`);
    expect(job).toMatchObject({
      id: ids[1],
      submitter: "admin",
      viewing_groups: [],
      description: "with metadata",
      health_check: false,
      requested_device_type: "qemu",
      tags: [],
      state: "Submitted",
      health: "Unknown",
      priority: 50,
      multinode_definition: "",
      failure_tags: [],
      failure_comment: null,
    });
    expect(job.original_definition).toMatch(/build-id: "12"/);
    expect(job.definition).toMatch(/^actions:\n- /);
    expect(job.definition).toMatch(/^metadata:\n {2}build-id: '12'$/m);
    expect(job).not.toHaveProperty("token");
  });

  test.each([
    ["state=Finished", [0]],
    ["state__in=Submitted,Running", [1, 2]],
    ["health=Complete", [0]],
    ["submitter__username=admin", [0, 1, 2]],
    ["submitter__username=nobody", []],
    ["actual_device__hostname=qemu-01", [0]],
    ["requested_device_type__name__contains=qem&description=third", [2]],
    ["start_time__isnull=true", [1, 2]],
    ["submit_time__gt=2026-01-01T00:00:00Z", [0, 1, 2]],
    ["submit_time__lt=2026-01-01 00:00", []],
    ["metadata__build-id=12", [1]],
    ["search=THIRD", [2]],
    ["state=Submitted&ordering=-description", [1, 2]],
    ["state=Submitted&ordering=-id", [2, 1]],
    ["no_such_field=1", [0, 1, 2]],
    ["health_check=maybe", [0, 1, 2]],
    ["health_check=true", []],
  ])("are filtered by %s", async (query, wanted) => {
    expect(await idsIn(`jobs/?${query}`)).toEqual(wanted.map((n) => ids[n]));
  });

  test("are found by id, whatever the order in which they are named", async () => {
    expect(await idsIn(`jobs/?id__in=${ids[0]},${ids[2]},999`)).toEqual([ids[0], ids[2]]);
    expect(await idsIn(`jobs/?id__gt=${ids[0]}&id__lte=${ids[1]}`)).toEqual([ids[1]]);
  });

  test.each([
    ["state=Bogus", "state"],
    ["id=abc", "id"],
    ["priority__gt=abc", "priority__gt"],
    ["submit_time__gt=yesterday", "submit_time__gt"],
  ])("%s is refused at its field", async (query, field) => {
    const [status, body] = await json(`jobs/?${query}`);
    expect([status, Object.keys(body)]).toEqual([400, [field]]);
  });

  test.each(["ordering=constructor", "__proto__=1", "constructor__in=1", "ordering=-__proto__"])(
    "are all there where %s says nothing",
    async (query) => {
      expect((await json(`jobs/?${query}`))[0]).toBe(200);
      expect((await json(`devices/?${query}`))[0]).toBe(200);
    },
  );

  test("that are not there are 404 with LAVA's words", async () => {
    for (const where of ["jobs/999/", "jobs/abc/", "nosuch/", "jobs/999/logs/"]) {
      expect(await json(where)).toEqual([404, { detail: "Not found." }]);
    }
  });
});

describe("a submission", () => {
  test.each([
    ["JSON", () => ({ body: { definition: aJob() } })],
    ["a form", () => ({ body: new URLSearchParams({ definition: aJob() }).toString() })],
    [
      "multipart",
      () => ({
        type: "multipart/form-data; boundary=xx",
        body: `--xx\r\ncontent-disposition: form-data; name="definition"; filename="a.yaml"\r\n\r\n${aJob()}\r\n--xx--\r\n`,
      }),
    ],
  ])("as %s makes a job", async (_name, asked) => {
    const [status, body] = await json("jobs/", asked());
    expect([status, body]).toEqual([
      201,
      { message: "job(s) successfully submitted", job_ids: [expect.any(Number)] },
    ]);
    await lab.settled();
    const [, page] = await json("jobs/?limit=1&ordering=-id");
    expect(page.results[0]!.id).toBe(body.job_ids[0]);
  });

  test.each([
    [{}, { definition: ["This field is required."] }],
    [{ definition: "" }, { definition: ["This field may not be blank."] }],
    [
      { definition: "job_name: x" },
      {
        message: expect.stringMatching(
          /^Problem with submitted job data: required key not provided @ data\['timeouts'\] \(line 1/,
        ),
      },
    ],
    [
      { definition: "x" },
      {
        message: expect.stringMatching(
          /^Problem with submitted job data: expected a dictionary \(line 1/,
        ),
      },
    ],
    [
      { definition: aJob({ deviceType: "nosuch" }) },
      {
        message: expect.stringMatching(
          /^Devices unavailable: Device type 'nosuch' is unavailable\. \(line \d+.*known are qemu/,
        ),
      },
    ],
    [{ definition: null }, { definition: ["This field may not be null."] }],
    [[], { non_field_errors: ["Invalid data. Expected a dictionary, but got list."] }],
  ])("of %j is refused as LAVA refuses it", async (body, wanted) => {
    expect(await json("jobs/", { body })).toEqual([400, wanted]);
  });

  test("that is no form, or of nobody, is refused", async () => {
    expect((await ask("jobs/", { body: "{", type: "application/json" })).status).toBe(400);
    expect((await ask("jobs/", { body: "x", type: "text/plain" })).status).toBe(415);
    expect(await json("jobs/", { body: {}, token: null })).toEqual([
      403,
      { detail: "Authentication credentials were not provided." },
    ]);
    expect(await json("jobs/", { body: {}, token: "nosuch" })).toEqual([
      403,
      { detail: "Invalid token." },
    ]);
  });

  test("is validated, strictly where the body says so", async () => {
    const valid = { message: "Job valid." };
    expect(await json("jobs/validate/", { body: { definition: aJob() } })).toEqual([200, valid]);
    const longer = aJob().replace("action: {minutes: 5}", "action: {minutes: 50}");
    expect(await json("jobs/validate/", { body: { definition: longer } })).toEqual([200, valid]);
    const [status, { message }] = await json("jobs/validate/", {
      body: { definition: longer, strict: true },
    });
    expect(status).toBe(200);
    expect(message).toMatch(/^Job invalid: /);
    const [, testdef] = await json("jobs/validate_testdef/", { body: { definition: "a: b" } });
    expect(testdef.message).toMatch(/^Test definition invalid: /);
  });
});

describe("cancel and resubmit", () => {
  test.each(["GET", "POST"])("cancel by %s", async (method) => {
    const id = await lab.submit();
    expect(await json(`jobs/${id}/cancel/`, { method })).toEqual([
      200,
      { message: "Job cancel signal sent." },
    ]);
    expect(await lab.job(id)).toMatchObject({ health: "Canceled" });
  });

  test("a HEAD, or a browser that another site leads there, cancels nothing", async () => {
    const id = await lab.submit();
    expect((await ask(`jobs/${id}/cancel/`, { method: "HEAD" })).status).toBe(403);
    const { url } = await lab.api<{ url: string }>("/sign-in-links", { method: "POST" });
    const signedIn = await lab.request("/sign-in", {
      token: null,
      body: new URL(url).searchParams.toString(),
      headers: { "sec-fetch-site": "same-origin" },
    });
    const cookie = signedIn.headers.get("set-cookie")!.split(";")[0]!;
    const link = `/api/v0.2/jobs/${id}/cancel/`;
    const led = await lab.app.request(link, {
      headers: { cookie, "sec-fetch-site": "cross-site" },
    });
    expect(led.status).toBe(403);
    expect(await lab.job(id)).toMatchObject({ state: "Submitted" });
  });

  test("several are canceled at once, and those that can't be are named", async () => {
    const id = await lab.submit();
    const [status, body] = await json("jobs/batch-cancel/", { body: { job_ids: [id, 998] } });
    expect(status).toBe(200);
    expect(body).toMatchObject({ canceled: [id], refused: { 998: expect.any(String) } });
  });

  test("a job is submitted once more as it was", async () => {
    const [status, body] = await json(`jobs/${ids[1]}/resubmit/`, { method: "POST" });
    expect(status).toBe(201);
    const [, again] = await json(`jobs/${body.job_ids[0]}/`);
    const [, first] = await json(`jobs/${ids[1]}/`);
    expect(again.original_definition).toBe(first.original_definition);
  });
});

describe("what a job found", () => {
  test("its suites and tests have numbers that lead to them", async () => {
    const [, suites] = await json(`jobs/${ids[0]}/suites/`);
    expect(suites.results.map(({ name }: { name: string }) => name)).toEqual(["0_t", "lava"]);
    const suite = suites.results[0]!;
    const path = (uri: string) => uri.replace("http://localhost/api/v0.2/", "");
    expect((await json(path(suite.resource_uri)))[1]).toEqual(suite);
    const [, tests] = await json(`jobs/${ids[0]}/suites/${suite.id}/tests/`);
    expect(tests).toMatchObject({
      count: 2,
      results: [
        {
          name: "speed",
          result: "pass",
          measurement: "93.2500000000",
          unit: "MB",
          metadata: "case: speed\ndefinition: 0_t\nmeasurement: 93.25\nresult: pass\nunits: MB\n",
          suite: suite.id,
          test_set: null,
          logged: "2026-03-01T12:00:02.000001Z",
        },
        { name: "broken", measurement: null },
      ],
    });
    const one = tests.results[0]!;
    expect((await json(path(one.resource_uri)))[1]).toEqual(one);
  });

  test.each([
    ["result=fail", ["broken"]],
    ["suite__name=lava", ["job"]],
    ["name__startswith=sp", ["speed"]],
    ["ordering=-id", ["job", "broken", "speed"]],
    ["limit=1&offset=1", ["broken"]],
  ])("its tests are filtered by %s", async (query, wanted) => {
    const [, page] = await json(`jobs/${ids[0]}/tests/?${query}`);
    expect(page.results.map(({ name }: { name: string }) => name)).toEqual(wanted);
  });

  test.each([
    ["csv/", "application/csv", /^"job","suite","result",/],
    ["yaml/", "application/yaml", /^- id: '\d+'\n {2}job: '\d+'\n/],
    ["junit/", "application/xml", /<testsuites tests="3" failures="1"/],
    ["tap13/", "application/yaml", /^1\.\.3$/m],
    ["suites/0_t/csv/", "application/csv", /"0_t","fail"/],
    ["suites/0_t/yaml/", "application/yaml", /name: broken/],
    ["logs/", "application/yaml", /^- \{"dt": "2026-03-01T12:00:00\.000001", "lvl": "info"/],
  ])("%s is a file", async (where, type, wanted) => {
    const answer = await ask(`jobs/${ids[0]}/${where}`);
    expect(answer.headers.get("content-type")).toContain(type);
    expect(answer.headers.get("content-disposition")).toMatch(/^attachment; filename=job_\d+/);
    expect(await answer.text()).toMatch(wanted);
  });

  test("its log is sliced by lines, and 404 where there are none", async () => {
    const answer = await ask(`jobs/${ids[0]}/logs/?start=1&end=2`);
    expect(await answer.text()).toBe(
      '- {"dt": "2026-03-01T12:00:01.000001", "lvl": "target", "msg": "hello"}\n',
    );
    expect((await ask(`jobs/${ids[0]}/logs/?start=5`)).status).toBe(404);
    expect((await ask(`jobs/${ids[2]}/logs/`)).status).toBe(404);
  });

  test("its metadata are mappings of one key", async () => {
    expect(await json(`jobs/${ids[1]}/metadata/`)).toEqual([
      200,
      { metadata: [{ "build-id": "12" }] },
    ]);
  });
});
