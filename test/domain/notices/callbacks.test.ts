import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { deliverNotices } from "../../../control-plane/domain/notices/deliver.ts";
import { tick } from "../../../control-plane/domain/tick.ts";
import { aJob, aResult } from "../../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { hookReceiver, type HookReceiver } from "../../support/hook-receiver.ts";

let lab: EmbeddedLab;
let worker: string;
let receiver: HookReceiver;
beforeEach(async () => {
  receiver = await hookReceiver();
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  await allow({ private_hosts: ["127.0.0.1"] });
});
afterEach(async () => {
  await lab.close();
  await receiver.close();
});

const allow = (notices: object) =>
  lab.request("/settings", { method: "PUT", body: { settings: { notices } } });
const notifying = (notify: object, ...lines: string[]) =>
  aJob({ lines: [`notify: ${JSON.stringify(notify)}`, ...lines] });
const posting = (status: string, callback: object = {}) =>
  notifying({
    criteria: { status },
    callback: { url: `${receiver.url}/hook`, method: "POST", "content-type": "json", ...callback },
  });

/** Runs a job from its submission to its end. */
async function run(definition: string, result: "pass" | "fail" = "pass"): Promise<number> {
  const id = await lab.submit(definition);
  const { start } = await lab.sync(worker);
  const { token } = start.find(({ job_id }) => job_id === id)!;
  lab.pass(10);
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  lab.pass(60);
  await lab.ship(id, token, 0, [
    { dt: "2026-03-01T12:00:10.123456+00:00", lvl: "target", msg: "login: é" },
    {
      dt: "2026-03-01T12:00:11.000000+00:00",
      lvl: "results",
      msg: aResult({ measurement: 93.25, units: "MB/s" }),
    },
  ]);
  await lab.finish(id, token, { result, lines: 2 });
  await lab.sync(worker);
  return id;
}
const bodies = () => receiver.received.map(({ body }) => JSON.parse(body));
const soon = async (seconds: number) => {
  lab.pass(seconds);
  await tick(lab.deps);
  await lab.settled();
};

describe("criteria", () => {
  test.each([
    ["all", ["running", "complete"]],
    ["running", ["running"]],
    ["finished", ["complete"]],
    ["complete", ["complete"]],
    ["incomplete", []],
    ["canceled", []],
  ])("%s of a job that passes: told %j", async (status, told) => {
    await run(posting(status));
    expect(bodies().map(({ status_string }) => status_string)).toEqual(told);
  });

  test("incomplete and canceled are told of jobs that end so", async () => {
    await run(posting("incomplete"), "fail");
    const id = await lab.submit(posting("canceled"));
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    await lab.sync(worker);
    expect(bodies().map(({ status, status_string }) => [status, status_string])).toEqual([
      [3, "incomplete"],
      [4, "canceled"],
    ]);
  });

  test("regression and progression compare with the last job of the same name, type and submitter", async () => {
    const watching = (status: string, type: string) =>
      notifying({
        criteria: { status, type },
        callback: { url: `${receiver.url}/${type}`, method: "POST", "content-type": "json" },
      });
    const regression = watching("incomplete", "regression");
    const progression = watching("complete", "progression");
    await run(regression, "fail");
    expect(receiver.received).toEqual([]);
    await run(progression);
    await run(progression);
    await run(aJob({ name: "another" }), "fail");
    await run(regression, "fail");
    await run(regression, "fail");
    expect(receiver.received.map(({ path }) => path)).toEqual(["/progression", "/regression"]);
  });
});

describe("a callback", () => {
  test("POST as JSON has LAVA's keys in LAVA's order", async () => {
    const definition = posting("finished", { token: "s3cret", header: "PRIVATE-TOKEN" });
    const text = `${definition}metadata: {build: 7, source: "git"}\n`;
    const id = await run(text);
    const [{ method, path, headers, body }] = receiver.received as [never] as [
      (typeof receiver.received)[0],
    ];
    expect([method, path, headers["private-token"], headers["content-type"]]).toEqual([
      "POST",
      "/hook",
      "s3cret",
      "application/json",
    ]);
    expect(Object.entries(JSON.parse(body))).toEqual([
      ["id", id],
      ["status", 2],
      ["status_string", "complete"],
      ["state", 5],
      ["state_string", "Finished"],
      ["health", 1],
      ["health_string", "Complete"],
      ["submit_time", "2026-03-01 12:00:00+00:00"],
      ["start_time", "2026-03-01 12:00:10+00:00"],
      ["end_time", "2026-03-01 12:01:10+00:00"],
      ["submitter_username", "admin"],
      ["submitter_email", ""],
      ["failure_comment", null],
      ["priority", 50],
      ["description", "smoke"],
      ["actual_device_id", "qemu-01"],
      ["definition", text],
      ["metadata", [{ build: "7" }, { source: "git" }]],
      ["health_check", false],
      ["token", "s3cret"],
    ]);
  });

  test("while the job is running has the text None for its end", async () => {
    await run(posting("running"));
    expect(bodies()).toMatchObject([{ state_string: "Running", end_time: "None", status: 1 }]);
  });

  test("dataset all has the log as YAML and each suite's cases as YAML", async () => {
    const id = await run(posting("finished", { dataset: "all" }));
    const [{ log, results }] = bodies();
    expect(parse(log)).toMatchObject([{ lvl: "target", msg: "login: é" }, { lvl: "results" }]);
    expect(Object.keys(results)).toEqual(["0_smoke"]);
    expect(results["0_smoke"]).toBe(`- name: 'true'
  job: '${id}'
  suite: 0_smoke
  result: pass
  measurement: '93.2500000000'
  unit: MB/s
  level: ''
  url: /results/${id}/0_smoke/true
  id: '1'
  logged: '2026-03-01 12:00:11+00:00'
  log_start_line: None
  log_end_line: None
  metadata: {definition: 0_smoke, case: 'true', result: pass, measurement: 93.25, units: MB/s}
`);
  });

  test.each([
    ["logs", ["log"]],
    ["results", ["results"]],
    ["minimal", []],
  ])("dataset %s adds %j", async (dataset, more) => {
    await run(posting("finished", { dataset }));
    const [payload] = bodies();
    expect(Object.keys(payload).slice(19)).toEqual(more);
  });

  test("is urlencoded unless JSON is asked for", async () => {
    await run(posting("finished", { "content-type": undefined, token: "t" }));
    const [{ headers, body }] = receiver.received as [(typeof receiver.received)[0]];
    expect(headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(headers.authorization).toBe("t");
    const form = new URLSearchParams(body);
    expect(form.get("status_string")).toBe("complete");
    expect(form.get("health_check")).toBe("False");
    expect(form.has("failure_comment")).toBe(false);
  });

  test("is a GET without a body unless POST is asked for, with the job's fields in its URL", async () => {
    const url = `${receiver.url}/{ID}/{ STATUS_STRING }/{DESCRIPTION}?d={ACTUAL_DEVICE_ID}&x={NONE}{TOKEN}`;
    const notify = { criteria: { status: "finished" }, callback: { url, token: "t" } };
    const definition = aJob({ name: "a b/c", lines: [`notify: ${JSON.stringify(notify)}`] });
    const id = await run(definition);
    expect(receiver.received).toMatchObject([
      { method: "GET", path: `/${id}/complete/a%20b%2Fc?d=qemu-01&x={NONE}{TOKEN}`, body: "" },
    ]);
  });

  test("goes to every one of a list", async () => {
    const callbacks = ["/one", "/two"].map((path) => ({ url: receiver.url + path }));
    await run(notifying({ criteria: { status: "finished" }, callbacks }));
    expect(receiver.received.map(({ path }) => path).toSorted()).toEqual(["/one", "/two"]);
  });

  test("of an attempt that another one follows tells of the job's end only", async () => {
    const id = await lab.submit(`${posting("finished")}retry_on: infrastructure\n`);
    const { start } = await lab.sync(worker);
    await lab.sync(worker, [{ job_id: id, state: "running" }]);
    await lab.finish(id, start[0]!.token, {
      result: "fail",
      lines: 0,
      error_type: "Infrastructure",
      error_msg: "no power",
    });
    expect(await lab.job(id)).toMatchObject({ state: "Submitted", attempt: 2 });
    expect(receiver.received).toEqual([]);
  });
});

describe("the outbox", () => {
  test("tries again later and later, with the same id, until somebody takes it", async () => {
    receiver.answer(503, "later");
    await run(posting("finished"));
    expect(receiver.received).toHaveLength(1);
    await soon(30);
    expect(receiver.received).toHaveLength(1);
    await soon(31);
    expect(receiver.received).toHaveLength(2);
    await soon(61);
    expect(receiver.received).toHaveLength(2);
    receiver.answer(200);
    await soon(5 * 60);
    expect(receiver.received).toHaveLength(3);
    await soon(24 * 60 * 60);
    expect(receiver.received).toHaveLength(3);
    const ids = receiver.received.map(({ headers }) => headers["x-pumice-delivery"]);
    expect(new Set(ids).size).toBe(1);
  });

  test("gives up after a day and a half", async () => {
    receiver.answer(500);
    await run(posting("finished"));
    for (const minutes of [1, 5, 30, 120, 480, 1440, 10_000]) await soon(minutes * 60 + 1);
    expect(receiver.received).toHaveLength(7);
  });

  test("does not call a private address unless the lab's settings allow it", async () => {
    await allow({});
    await run(posting("finished"));
    expect(receiver.received).toEqual([]);
  });

  test("sends nothing twice, however often and by how many it is looked at", async () => {
    await run(posting("finished"));
    await Promise.all([1, 2, 3, 4].map(() => deliverNotices(lab.deps)));
    expect(receiver.received).toHaveLength(1);
  });

  test("a message is not lost with a process that died between the change and the request to send", async () => {
    const { signals } = lab.deps;
    const requestPass = signals.requestPass.bind(signals);
    signals.requestPass = async (what) => (what.startsWith("#") ? undefined : requestPass(what));
    await run(posting("finished"));
    await lab.reopen();
    expect(receiver.received).toEqual([]);
    await soon(0);
    expect(receiver.received).toHaveLength(1);
  });

  test("nothing is sent while the lab is closed, all of it when it opens", async () => {
    receiver.answer(503);
    await run(posting("finished"));
    await lab.request("/backup/closed", { method: "PUT" });
    await soon(10 * 60);
    await deliverNotices(lab.deps);
    expect(receiver.received).toHaveLength(1);
    await lab.request("/backup/closed", { method: "DELETE" });
    await soon(0);
    expect(receiver.received).toHaveLength(2);
  });
});
