import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { aJob, aResult } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob } from "../support/group-job.ts";
import { xmlRpcClient } from "../support/xmlrpc-client.ts";

let lab: EmbeddedLab;
let rpc: ReturnType<typeof xmlRpcClient>;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  rpc = xmlRpcClient(lab);
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
});
afterEach(() => lab.close());

const line = (msg: unknown, lvl = "info") => ({ dt: "2026-03-01T12:00:01.000000", lvl, msg });

/** Submits a job and runs it to its end with these records in its log. */
async function ran(records: object[] = [line("start: 0 validate")]): Promise<number> {
  const id = await lab.submit();
  const { start } = await lab.sync(worker);
  const token = start.find(({ job_id }) => job_id === id)!.token;
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  await lab.ship(id, token, 0, records);
  await lab.finish(id, token, { result: "pass", lines: records.length });
  await lab.sync(worker);
  return id;
}

test("a job is submitted, shown, listed and canceled", async () => {
  const id = await rpc.call<number>("scheduler.jobs.submit", aJob());
  expect(id).toBe(1);
  expect(await rpc.call("scheduler.jobs.show", "1")).toEqual({
    id: 1,
    description: "smoke",
    device: "qemu-01",
    device_type: "qemu",
    health_check: false,
    pipeline: true,
    health: "Unknown",
    state: "Scheduled",
    submitter: "admin",
    submit_time: new Date("2026-03-01T12:00:00Z"),
    start_time: null,
    end_time: null,
    tags: [],
    visibility: "Public",
    failure_comment: null,
  });
  expect(await rpc.call("scheduler.jobs.show", 1)).toMatchObject({ id: 1 });
  expect(await rpc.call("scheduler.jobs.list")).toEqual([
    {
      id: 1,
      description: "smoke",
      device_type: "qemu",
      health: "Unknown",
      state: "Scheduled",
      submitter: "admin",
    },
  ]);
  expect(await rpc.call("scheduler.jobs.cancel", 1)).toBe(true);
  expect(await rpc.call("scheduler.job_state", 1)).toEqual({ job_id: 1, job_state: "Canceling" });
  expect(await rpc.call("scheduler.cancel_job", 1)).toBe(true);
});

test("a definition comes back byte for byte, also with another system's line ends", async () => {
  const text = `# first\n${aJob()}`.replaceAll("\n", "\r\n");
  const id = await lab.submit(text);
  expect(await rpc.call("scheduler.jobs.definition", id)).toBe(text);
});

test("a definition may come as a file", async () => {
  const bytes = new TextEncoder().encode(aJob());
  expect(await rpc.call("scheduler.jobs.submit", bytes)).toBe(1);
});

test("what is refused is a fault 400 in LAVA's words that says where", async () => {
  expect(await rpc.fault("scheduler.jobs.submit", "a: 1")).toMatch(
    /^400 Problem with submitted job data: .*line 1/,
  );
  expect(await rpc.fault("scheduler.submit_job", "a: [")).toMatch(
    /^400 Problem with submitted job data: /,
  );
  expect(await rpc.fault("scheduler.jobs.submit", aJob({ deviceType: "nosuch" }))).toMatch(
    /^400 Device unavailable: Device type 'nosuch' is unavailable\./,
  );
});

test("a job that is not there is a fault 404 in LAVA's words", async () => {
  for (const method of [
    "scheduler.jobs.show",
    "scheduler.jobs.logs",
    "scheduler.jobs.definition",
    "scheduler.jobs.configuration",
    "scheduler.jobs.cancel",
    "scheduler.jobs.resubmit",
    "scheduler.job_output",
    "scheduler.job_details",
  ]) {
    expect(await rpc.fault(method, "9999"), method).toBe("404 Job '9999' was not found.");
    expect(await rpc.fault(method, "x"), method).toBe("404 Job 'x' was not found.");
    expect(await rpc.fault(method, "7.1"), method).toBe("404 Job '7.1' was not found.");
  }
});

test("a job is submitted once more", async () => {
  await lab.submit(aJob({ name: "again" }));
  expect(await rpc.call("scheduler.jobs.resubmit", "1")).toBe(2);
  expect(await rpc.call("scheduler.resubmit_job", 1)).toBe(3);
  expect(await lab.job(3)).toMatchObject({ description: "again", submitter: "admin" });
});

test("a multinode job has sub ids everywhere", async () => {
  await lab.addDevice("qemu-02");
  const ids = await rpc.call<string[]>("scheduler.jobs.submit", aGroupJob());
  expect(ids).toEqual(["1.0", "1.1"]);
  expect(await rpc.call("scheduler.jobs.show", "1.1")).toMatchObject({ id: "1.1" });
  const listed = await rpc.call<{ id: string }[]>("scheduler.jobs.list");
  expect(listed.map(({ id }) => id)).toEqual(["1.1", "1.0"]);
  expect(await rpc.call("scheduler.jobs.resubmit", "1.1")).toEqual(["3.0", "3.1"]);
  expect(await rpc.call("scheduler.jobs.cancel", "3.1")).toBe(true);
  expect((await lab.job(4)).health).toBe("Canceled");
});

describe("a log", () => {
  const records = [line("one"), line("two \u001b[0m", "target"), line(aResult(), "results")];

  test("is given in parts, with whether the job has ended", async () => {
    const id = await ran(records);
    const [finished, text] = await rpc.call<[boolean, string]>("scheduler.jobs.logs", id, 0, 1);
    expect(finished).toBe(true);
    expect(text).toBe('- {"dt": "2026-03-01T12:00:01.000000", "lvl": "info", "msg": "one"}\n');
    const [, rest] = await rpc.call<[boolean, string]>("scheduler.jobs.logs", String(id), 1);
    expect(rest.split("\n")).toHaveLength(3);
    expect(await rpc.call("scheduler.jobs.logs", id, 500)).toEqual([true, ""]);
  });

  test("of a running job is not finished", async () => {
    const id = await lab.submit();
    const { start } = await lab.sync(worker);
    await lab.sync(worker, [{ job_id: id, state: "running" }]);
    await lab.ship(id, start[0]!.token, 0, records);
    const [finished, text] = await rpc.call<[boolean, string]>("scheduler.jobs.logs", id);
    expect(finished).toBe(false);
    expect(text.split("\n")).toHaveLength(4);
    expect(await rpc.call("scheduler.jobs.logs", id, 3)).toEqual([false, ""]);
  });

  test("is given whole, or from a byte on, by the oldest method", async () => {
    const id = await ran(records);
    const whole = await rpc.call<string>("scheduler.job_output", id);
    expect(whole.split("\n")).toHaveLength(4);
    expect(await rpc.call("scheduler.job_output", id, 10)).toBe(whole.slice(10));
    expect(await rpc.call("scheduler.job_output", id, 10_000_000)).toBe("");
  });

  test("that is too long for one answer goes on where it was cut", async () => {
    // Where a gateway carries no more at once.
    Object.assign(lab.deps.settings, { blobOrigin: "https://blobs.test" });
    const long = Array.from({ length: 40 }, (_one, n) => line(`${n} ${"x".repeat(100_000)}`));
    const id = await ran(long);
    const [finished, first] = await rpc.call<[boolean, string]>("scheduler.jobs.logs", id);
    expect(finished).toBe(false);
    const lines = first.split("\n").length - 1;
    const [end, rest] = await rpc.call<[boolean, string]>("scheduler.jobs.logs", id, lines);
    expect(end).toBe(true);
    expect(lines + rest.split("\n").length - 1).toBe(40);
  });
});

describe("a list of jobs", () => {
  test("is of a state or health, in parts and newest first", async () => {
    await ran();
    for (let n = 2; n <= 4; n++) await lab.submit();
    const ids = async (...args: (string | number | null)[]) =>
      (await rpc.call<{ id: number }[]>("scheduler.jobs.list", ...args)).map(({ id }) => id);
    expect(await ids()).toEqual([4, 3, 2, 1]);
    expect(await ids(null, null, 1, 2)).toEqual([3, 2]);
    expect(await ids("FINISHED")).toEqual([1]);
    expect(await ids("SUBMITTED")).toEqual([4, 3]);
    expect(await ids("Submitted", "Unknown", 1)).toEqual([3]);
    expect(await ids(null, "COMPLETE")).toEqual([1]);
    expect(await ids(null, null, 0, 1000)).toEqual([4, 3, 2, 1]);
    expect(await rpc.fault("scheduler.jobs.list", "bad")).toBe("400 Invalid state 'bad'");
    expect(await rpc.fault("scheduler.jobs.list", null, "bad")).toBe("400 Invalid health 'bad'");
    expect(await ids("Running")).toEqual([]);
    expect(await ids(null, null, 20_000)).toEqual([]);
  });

  test("is of those that ended lately, in minutes", async () => {
    await ran();
    lab.pass(600);
    await lab.sync(worker);
    await ran();
    const since = async (minutes: number) =>
      (await rpc.call<object[]>("scheduler.jobs.list", null, null, 0, 25, minutes)).length;
    expect(await since(5)).toBe(1);
    expect(await since(15)).toBe(2);
    expect(await since(0)).toBe(2);
  });

  test("has more where it is wanted", async () => {
    await ran();
    expect(await rpc.call("scheduler.jobs.list", null, null, 0, 1, 0, true)).toEqual([
      {
        id: 1,
        description: "smoke",
        device_type: "qemu",
        health: "Complete",
        state: "Finished",
        submitter: "admin",
        actual_device: "qemu-01",
        start_time: "2026-03-01 12:00:00.000000+00:00",
        end_time: "2026-03-01 12:00:00.000000+00:00",
        error_msg: null,
        error_type: null,
      },
    ]);
  });

  test("is the queue, of all device types or of some", async () => {
    await lab.addDevice("bbb-01", { device_type: "bbb", health: "Maintenance" });
    for (let n = 1; n <= 3; n++) await lab.submit();
    await lab.submit(aJob({ deviceType: "bbb" }));
    const queue = async (...args: (string | number | null | string[])[]) =>
      (await rpc.call<{ id: number }[]>("scheduler.jobs.queue", ...args)).map(({ id }) => id);
    expect(await queue()).toEqual([4, 3, 2]);
    expect(await queue(["qemu"])).toEqual([3, 2]);
    expect(await queue("bbb", 0, 10)).toEqual([4]);
    expect(await queue(null, 1, 1)).toEqual([3]);
    expect(await rpc.call("scheduler.jobs.queue", ["bbb"])).toEqual([
      { id: 4, description: "smoke", requested_device_type: "bbb", submitter: "admin" },
    ]);
    expect(await rpc.call("scheduler.pending_jobs_by_device_type")).toEqual({ bbb: 1, qemu: 2 });
  });
});

test("a definition is checked, and the first mistake told", async () => {
  const check = (text: string, strict: boolean | null = null) =>
    rpc.call("scheduler.jobs.validate", text, strict);
  expect(await check(aJob())).toEqual({});
  expect(await check(aJob(), true)).toEqual({});
  expect(await check("device_type: x")).toMatchObject({ msg: expect.stringContaining("missing") });
  const extra = `${aJob()}foo: 1\n`;
  expect(await check(extra, true)).toMatchObject({ path: "['foo']" });
  expect(await check(aJob().replace(/visibility:.*\n/, ""))).toEqual({
    path: "['visibility']",
    msg: 'required key not provided: the key "visibility" is missing',
  });
  expect(await rpc.call("scheduler.validate_yaml", aJob())).toBe(null);
  expect(await rpc.fault("scheduler.validate_yaml", "a: 1")).toMatch(
    /^400 Invalid YAML submission/,
  );
});

test("what a job runs with is told, the worker's texts only to who may change it", async () => {
  await lab.api("/workers/bench/texts/dispatcher", {
    method: "PUT",
    body: "dispatcher_ip: 10.0.0.1\n",
  });
  const id = await ran();
  const [definition, device, dispatcher, env, envDut] = await rpc.call<string[]>(
    "scheduler.jobs.configuration",
    id,
  );
  expect(definition).toBe(aJob());
  expect(device).toContain("qemu-system-x86_64");
  expect([dispatcher, env, envDut]).toEqual(["dispatcher_ip: 10.0.0.1\n", "", ""]);
  const { token } = await lab.addUser("ann");
  const answer = await rpc.ask({ user: "ann", token }, "scheduler.jobs.configuration", id);
  const texts = ("value" in answer ? answer.value : []) as Uint8Array[];
  expect(texts.map((text) => text.length > 0)).toEqual([true, true, false, false, false]);
});

test("the oldest methods tell of jobs in their own forms", async () => {
  await ran();
  const running = await lab.submit();
  const waiting = await lab.submit();
  expect(await rpc.call("scheduler.job_health", 1)).toEqual({ job_id: 1, job_health: "Complete" });
  expect(await rpc.call("scheduler.all_jobs")).toEqual([
    [waiting, "smoke", "submitted", null, { name: "qemu" }, ""],
    [running, "smoke", "scheduled", "qemu-01", { name: "qemu" }, ""],
  ]);
  const entry = { id: 1, description: "smoke", status: "Complete" };
  expect(await rpc.call("scheduler.get_recent_jobs_for_device", "qemu-01", 3)).toEqual([entry]);
  expect(await rpc.call("scheduler.get_recent_jobs_for_device", "qemu-01", 3, true)).toEqual([
    entry,
  ]);
  expect(await rpc.call("scheduler.get_recent_jobs_for_device_type", "qemu", 3)).toEqual([
    { ...entry, device: "qemu-01" },
  ]);
  expect(await rpc.fault("scheduler.get_recent_jobs_for_device", "nosuch")).toBe(
    "404 Device 'nosuch' was not found.",
  );
});

test("the details of a job have no secrets in them, unlike LAVA's", async () => {
  await ran();
  const told = await rpc.call("scheduler.job_details", 1);
  expect(told).toMatchObject({
    ...{ id: 1, status: "Complete", submitter_username: "admin" },
    original_definition: aJob(),
  });
  expect(JSON.stringify(told)).not.toMatch(/token|password|hash|nonce/);
});
