import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView, LogPage, ResultView, WorkerView } from "#protocol/api.ts";
import type { ChangeRecord } from "../../control-plane/domain/changes.ts";
import { closeLab } from "../../control-plane/domain/closed-lab.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { aGroupJob } from "../support/group-job.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";

const BASE = "/scheduler/internal/v1";
const RETRIED = aJob({ lines: ["retry_on: infrastructure"] });
const DT = "2026-11-21T02:29:58.117170";

interface Told {
  id: number;
  token: string;
}
interface Plan {
  cancel: Told[];
  running: Told[];
  start: Told[];
}

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab({ jobLeaseSeconds: 600 });
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const ask = async (
  where: string,
  token?: string,
  form?: Record<string, string>,
  address?: string,
): Promise<Response> =>
  lab.app.request(
    BASE + where,
    {
      method: form ? "POST" : "GET",
      headers: token === undefined ? {} : { "lava-token": token },
      ...(form ? { body: new URLSearchParams(form) } : {}),
    },
    ...(address === undefined ? [] : [{ address }]),
  );
const told = async (answer: Promise<Response>) => {
  const response = await answer;
  return [response.status, await response.json()] as const;
};
const ping = async (version = "2023.01"): Promise<Plan> => {
  const answer = await ask(`/workers/bench/?version=${version}`, worker);
  if (!answer.ok) throw new Error(await answer.text());
  await lab.settled();
  return (await answer.json()) as Plan;
};
/** Submits a job and has the worker begin it. */
const begin = async (definition = aJob()): Promise<Told> => {
  await ping();
  await lab.submit(definition);
  const [job] = (await ping()).start;
  if (!job) throw new Error("no job to start");
  expect((await ask(`/jobs/${job.id}/`, job.token)).status).toBe(200);
  await ask(`/jobs/${job.id}/`, job.token, { state: "RUNNING" });
  return job;
};
const record = (msg: unknown, lvl = "info") => `- ${JSON.stringify({ dt: DT, lvl, msg })}`;
const result = (name: string) =>
  record({ definition: "0_smoke", case: name, result: "pass" }, "results");
const ship = ({ id, token }: Told, lines: string[], index = 0) =>
  told(ask(`/jobs/${id}/logs/`, token, { lines: lines.join("\n"), index: String(index) }));
const end = async ({ id, token }: Told, form: Record<string, string> = {}) => {
  const all = { state: "FINISHED", result: "pass", error_type: "", errors: "", description: "" };
  const answer = await told(ask(`/jobs/${id}/`, token, { ...all, ...form }));
  await lab.settled();
  return answer;
};
const logOf = async (id: number) => (await lab.api<LogPage>(`/jobs/${id}/log`)).records;
const casesOf = async (id: number) =>
  (await lab.api<{ results: ResultView[] }>(`/jobs/${id}/results`)).results.map(({ name }) => name);
const device = () => lab.api<DeviceView>("/devices/qemu-01");
const bench = () => lab.api<WorkerView>("/workers/bench");

describe("a stock worker that asks for work", () => {
  test("is Online, and of its kind and version", async () => {
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect(await bench()).toMatchObject({ state: "Online", kind: "stock", version: "2023.01" });
  });

  test("is told of a job until it has fetched it, and then that it runs, and nothing after its end", async () => {
    await ping();
    const id = await lab.submit();
    const job = { id, token: expect.stringMatching(/^pumice_job_/) as string };
    expect(await ping()).toEqual({ cancel: [], running: [], start: [job] });
    const plan = await ping();
    expect(plan.start).toHaveLength(1);
    const { token } = plan.start[0]!;
    const answer = await ask(`/jobs/${id}/`, token);
    expect(Object.keys((await answer.json()) as object)).toEqual([
      ...["definition", "device", "dispatcher", "env", "env-dut"],
    ]);
    expect(await lab.job(id)).toMatchObject({ state: "Running" });
    expect(await ping()).toEqual({ cancel: [], running: [job], start: [] });
    expect(await told(ask(`/jobs/${id}/`, token, { state: "running" }))).toEqual([200, {}]);
    expect(await end({ id, token })).toEqual([200, {}]);
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Complete" });
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
  });

  test("is Offline once it has missed three of its pings", async () => {
    await ping();
    lab.pass(59);
    await tick(lab.deps);
    expect((await bench()).state).toBe("Online");
    lab.pass(2);
    await tick(lab.deps);
    expect((await bench()).state).toBe("Offline");
    await ping();
    expect((await bench()).state).toBe("Online");
  });

  test.each([
    ["2023.01", ["2023.01"], true],
    ["2023.01", ["2023.*"], true],
    ["2024.05-1", ["2023.01", "*"], true],
    ["2023.010", ["2023.01"], false],
    ["2024.05", ["2023.*"], false],
  ])("of version %s, where %j are served, is served: %s", async (version, versions, isServed) => {
    await lab.api("/settings", {
      method: "PUT",
      body: { settings: { stock_workers: { versions } } },
    });
    const answer = await ask(`/workers/bench/?version=${version}`, worker);
    expect(answer.status).toBe(isServed ? 200 : 409);
    expect((await bench()).state).toBe(isServed ? "Online" : "Offline");
    if (isServed) return;
    const error = `Version mismatch '${version}' vs '${versions.join("', '")}'`;
    expect(await answer.json()).toEqual({ error });
    expect((await bench()).notice).toContain("stock_workers");
  });

  test("of another version than the lab's gets no new jobs but may end those that it has", async () => {
    await lab.addDevice("qemu-02");
    const job = await begin();
    await lab.submit();
    expect(await ping("2024.05")).toEqual({ cancel: [], running: [job], start: [] });
    expect((await bench()).state).toBe("Offline");
    expect((await end(job))[0]).toBe(200);
  });

  test("works beside one of ours", async () => {
    const ours = await lab.addWorker("ours");
    await lab.addDevice("panda-01", { worker: "ours", device_type: "panda" });
    await ping();
    await lab.sync(ours);
    const [one, two] = [await lab.submit(), await lab.submit(aJob({ deviceType: "panda" }))];
    expect((await ping()).start.map(({ id }) => id)).toEqual([one]);
    expect((await lab.sync(ours)).start.map(({ job_id }) => job_id)).toEqual([two]);
  });

  test("of an archive is refused: there is nothing to do", async () => {
    const archive = await embeddedLab({ archive: true });
    const headers = { "lava-token": worker };
    const answer = await archive.app.request(`${BASE}/workers/bench/?version=1`, { headers });
    await archive.close();
    expect(answer.status).toBe(403);
  });

  test("is one of ours as soon as one of ours comes by its name", async () => {
    await ping();
    await lab.sync(worker);
    expect(await bench()).not.toHaveProperty("kind");
  });

  test("can't make itself another token: who asks for that hears what to do", async () => {
    await ping();
    const answer = await lab.request("/workers/bench/rotate", { body: { overlap_seconds: 60 } });
    expect(answer.status).toBe(409);
    expect(await answer.text()).toContain("--username");
  });

  test("has no remote consoles: who wants one hears so", async () => {
    await ping();
    await lab.api("/reservations", { body: { device: "qemu-01", seconds: 3600 } });
    const answer = await lab.request("/consoles", { body: { device: "qemu-01" } });
    expect([answer.status, await answer.text()]).toEqual([
      409,
      expect.stringContaining("a stock lava-worker") as string,
    ]);
  });

  test("gets no multinode jobs: somebody who asks why hears it", async () => {
    await ping();
    await lab.addDevice("qemu-02");
    const id = await lab.submit(aGroupJob());
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect(JSON.stringify(await lab.job(id))).toContain("stock lava-worker");
  });
});

describe("what is wrong is said in LAVA's words", () => {
  test.each([
    ["/workers/bench/?version=1", undefined, 400, "Missing 'token'"],
    ["/workers/bench/?version=1", "wrong", 400, "Invalid 'token'"],
    ["/workers/other/?version=1", "wrong", 404, "Unknown worker 'other'"],
    ["/workers/bench/", "its own", 400, "Missing 'version'"],
    ["/jobs/77/", "wrong", 404, "Unknown job '77'"],
    ["/jobs/x/", "wrong", 404, "Unknown job 'x'"],
    ["/jobs/1/", undefined, 400, "Missing 'token'"],
  ])("%s with token %s: %d", async (where, token, status, error) => {
    const answer = await told(ask(where, token === "its own" ? worker : token));
    expect(answer).toEqual([status, { error }]);
  });

  test.each([
    [{ state: "Foo" }, "Invalid state 'Foo'"],
    [{ state: "Canceling" }, "Not handled state 'Canceling'"],
    [{ state: "FINISHED", result: "so-so" }, "Invalid health 'so-so'"],
    [{}, "Missing 'state'"],
  ])("of a job: %j", async (form, error) => {
    const { id, token } = await begin();
    expect(await told(ask(`/jobs/${id}/`, token, form))).toEqual([400, { error }]);
  });

  test.each([
    [{ index: "0" }, "Missing 'lines'"],
    [{ lines: "- {}" }, "Missing 'index'"],
    [{ lines: "- {}", index: "-1" }, "Invalid 'index'"],
  ])("of a log: %j", async (form, error) => {
    const { id, token } = await begin();
    expect(await told(ask(`/jobs/${id}/logs/`, token, form))).toEqual([400, { error }]);
  });

  test("another worker's, a person's and another job's token are wrong", async () => {
    const other = await lab.addWorker("other");
    const job = await begin();
    for (const token of [other, lab.adminToken, job.token]) {
      expect((await ask("/workers/bench/?version=1", token)).status).toBe(400);
    }
    for (const token of [worker, lab.adminToken, `${job.token.slice(0, -1)}x`]) {
      expect((await ask(`/jobs/${job.id}/`, token)).status).toBe(400);
    }
  });

  test("whoever tries many tokens is told to come later", async () => {
    const wrong = () => ask("/workers/bench/?version=1", "wrong", undefined, "192.0.2.1");
    for (let n = 0; n < 60; n++) expect((await wrong()).status).toBe(400);
    expect((await wrong()).status).toBe(429);
    const good = await ask("/workers/bench/?version=2023.01", worker, undefined, "192.0.2.1");
    expect(good.status).toBe(200);
  });

  test("a path without its last slash is told where to go", async () => {
    const answer = await ask("/workers/bench?version=1", worker);
    expect([answer.status, answer.headers.get("location")]).toEqual([
      301,
      `${BASE}/workers/bench/?version=1`,
    ]);
  });

  test("a closed lab says later, and takes nothing", async () => {
    const job = await begin();
    await closeLab(lab.deps, lab.admin);
    expect((await ask("/workers/bench/?version=1", worker)).status).toBe(503);
    expect((await ship(job, [record("x")]))[0]).toBe(503);
  });
});

describe("a stock worker's log", () => {
  test("is there in order, each line and each result once, however often they are sent", async () => {
    const job = await begin();
    const lines = [record("one"), result("first"), record("two")];
    expect(await ship(job, lines)).toEqual([200, { line_count: 3 }]);
    expect(await ship(job, lines)).toEqual([200, { line_count: 3 }]);
    expect(await ship(job, [...lines, result("second")])).toEqual([200, { line_count: 4 }]);
    expect(await ship(job, [record("five")], 4)).toEqual([200, { line_count: 1 }]);
    expect((await logOf(job.id)).map(({ msg }) => msg)).toEqual([
      "one",
      expect.objectContaining({ case: "first" }),
      "two",
      expect.objectContaining({ case: "second" }),
      "five",
    ]);
    expect(await casesOf(job.id)).toEqual(["first", "second"]);
  });

  test("has its lines once when the same request comes twice at a time", async () => {
    const job = await begin();
    const lines = Array.from({ length: 1000 }, (_, n) => result(`case-${n}`));
    await Promise.all([ship(job, lines), ship(job, lines), ship(job, lines.slice(0, 500))]);
    expect((await lab.job(job.id)).log_lines).toBe(1000);
    expect(await casesOf(job.id)).toHaveLength(1000);
  });

  test("is the same in whatever pieces it comes, with whatever answers lost", async () => {
    // Of each request: how many records it has at most, and whether its answer arrives.
    const sends = fc.array(fc.tuple(fc.integer({ min: 1, max: 7 }), fc.boolean()), {
      maxLength: 12,
    });
    const all = Array.from({ length: 20 }, (_, n) =>
      n % 3 === 0 ? result(`case-${n}`) : record(`line ${n}`),
    );
    await fc.assert(
      fc.asyncProperty(sends, async (requests) => {
        const job = await begin();
        let acknowledged = 0;
        for (const [size, isAnswered] of [...requests, [20, true], [20, true]] as const) {
          const lines = all.slice(acknowledged, acknowledged + size);
          if (lines.length === 0) break;
          const [, { line_count }] = (await ship(job, lines, acknowledged)) as [
            number,
            { line_count: number },
          ];
          if (isAnswered) acknowledged += line_count;
        }
        await end(job);
        const log = await logOf(job.id);
        expect(log.map(({ msg }) => (typeof msg === "string" ? msg : "a result"))).toEqual(
          all.map((_, n) => (n % 3 === 0 ? "a result" : `line ${n}`)),
        );
        expect(await casesOf(job.id)).toEqual([0, 3, 6, 9, 12, 15, 18].map((n) => `case-${n}`));
      }),
      { numRuns: 15 },
    );
  });

  test("shows no secret of the job", async () => {
    await lab.api("/secrets/lab-key", { method: "PUT", body: { value: "opensesame" } });
    const job = await begin(
      aJob({ lines: ["secrets: {KEY: lab-key, PLAIN: xyzzy-plugh, N: 123456789}"] }),
    );
    const definition = (
      (await (await ask(`/jobs/${job.id}/`, job.token)).json()) as { definition: string }
    ).definition;
    expect(definition).toContain("opensesame");
    const msg = { definition: "0_smoke", case: "c", result: "pass", extra: "opensesame" };
    await ship(job, [record("KEY=opensesame xyzzy-plugh 123456789"), record(msg, "results")]);
    expect((await logOf(job.id))[0]?.msg).toBe("KEY=[MASKED] [MASKED] [MASKED]");
    const coded = Buffer.from("key: opensesame\n").toString("base64");
    const wrapped = ["begins open", "sesame ends"].map((text) => record(text, "target"));
    await ship(job, [record(coded), record(job.token), ...wrapped], 2);
    const later = (await logOf(job.id)).slice(2).map(({ msg }) => msg);
    expect(later[0]).not.toBe(coded);
    expect(later.slice(1)).toEqual(["[MASKED]", "begins open", "[MASKED] ends"]);
    await end(job, { errors: "opensesame" });
    expect((await lab.job(job.id)).notes).toEqual(["lava-run: [MASKED]"]);
    const all = JSON.stringify([await logOf(job.id), await lab.api(`/jobs/${job.id}/results`)]);
    expect(all).not.toContain("opensesame");
  });

  test("goes on where it should when lines before it were lost", async () => {
    const job = await begin();
    await ship(job, [record("here")], 1500);
    const page = await lab.api<LogPage>(`/jobs/${job.id}/log?start=1499`);
    expect(page.records.map(({ msg }) => msg)).toEqual([
      "Pumice: this line of the log was lost",
      "here",
    ]);
    expect((await ship(job, [record("far")], 10_000_000))[0]).toBe(400);
  });

  test("has the events of a DUT", async () => {
    const job = await begin();
    await ship(job, [record("booting"), record("started", "event")]);
    const { items } = await lab.deps.table.query<ChangeRecord>("main", `changes#event#${job.id}`);
    expect(items.map(({ data }) => data.data?.["message"])).toEqual(["started"]);
  });

  test("takes what is no record without a word to its sender, who would send it for ever", async () => {
    const job = await begin();
    expect(await ship(job, ["- nonsense: ["])).toEqual([200, { line_count: 1 }]);
    expect((await logOf(job.id))[0]).toMatchObject({ lvl: "warning" });
  });

  test("ends with its job: what comes later is taken and dropped", async () => {
    const job = await begin();
    await ship(job, [record("one")]);
    await end(job);
    expect(await ship(job, [record("two")], 1)).toEqual([200, { line_count: 1 }]);
    expect((await lab.job(job.id)).log_lines).toBe(1);
  });

  test("that is too long for one request is taken as far as it is read", async () => {
    const job = await begin();
    const long = record("x".repeat(90_000));
    const lines = Array.from({ length: 125 }, () => long);
    const [status, { line_count: count }] = (await ship(job, lines)) as [
      number,
      { line_count: number },
    ];
    expect(status).toBe(200);
    expect(count).toBeGreaterThan(50);
    expect(count).toBeLessThan(125);
    expect((await lab.job(job.id)).log_lines).toBe(count);
    expect(await ship(job, lines.slice(count), count)).toEqual([200, { line_count: 125 - count }]);
  });
});

describe("the end of a stock worker's job", () => {
  test.each([
    ["pass", "", "Complete", undefined, "Good"],
    ["fail", "Test", "Incomplete", "Test", "Good"],
    ["fail", "Infrastructure", "Incomplete", "Infrastructure", "Unknown"],
    ["fail", "Sorcery", "Incomplete", "Bug", "Unknown"],
  ])("%s %s: %s", async (outcome, error_type, health, type, deviceHealth) => {
    const job = await begin();
    const last = { definition: "lava", case: "job", result: outcome, error_msg: "no luck" };
    await ship(job, [
      record(outcome === "pass" ? { ...last, error_msg: undefined } : last, "results"),
    ]);
    await end(job, { result: outcome, error_type, errors: "Traceback: x\n" });
    const after = await lab.job(job.id);
    expect(after).toMatchObject({ state: "Finished", health, notes: ["lava-run: Traceback: x"] });
    expect(after.error_type).toBe(type);
    expect(after.error_msg).toBe(outcome === "pass" ? undefined : "no luck");
    expect(await device()).toMatchObject({ state: "Idle", health: deviceHealth });
  });

  test("counts once", async () => {
    const job = await begin();
    await end(job);
    expect(await end(job, { result: "fail", error_type: "Bug" })).toEqual([200, {}]);
    expect(await lab.job(job.id)).toMatchObject({ health: "Complete" });
    expect((await device()).health).toBe("Good");
  });

  test("is Canceled for one that somebody canceled, and the device is as it was", async () => {
    const job = await begin();
    await ship(job, [record("one")]);
    await lab.api(`/jobs/${job.id}/cancel`, { method: "POST" });
    expect(await ping()).toEqual({ cancel: [job], running: [], start: [] });
    await end(job, { result: "fail", error_type: "Canceled" });
    expect(await lab.job(job.id)).toMatchObject({ health: "Canceled", error_type: "Canceled" });
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
  });

  test("comes without the worker for one that is canceled before it was fetched", async () => {
    await ping();
    const id = await lab.submit();
    const [job] = (await ping()).start;
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled" });
    expect(await device()).toMatchObject({ state: "Idle", health: "Good" });
    expect((await ask(`/jobs/${id}/`, job!.token)).status).toBe(404);
  });
});

describe("a job that its stock worker has lost", () => {
  test("is given again as long as nothing was heard of it", async () => {
    const job = await begin();
    expect((await ask(`/jobs/${job.id}/`, job.token)).status).toBe(200);
    expect(await lab.job(job.id)).toMatchObject({ state: "Running" });
  });

  test("ends when the worker wants to begin it again, and its results stay as they were", async () => {
    const job = await begin();
    await ship(job, [result("first")]);
    expect((await ask(`/jobs/${job.id}/`, job.token)).status).toBe(404);
    expect(await lab.job(job.id)).toMatchObject({
      health: "Incomplete",
      error_type: "Infrastructure",
      error_msg: "worker bench has lost the job: it wanted to begin it again",
    });
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect(await casesOf(job.id)).toEqual(["first"]);
  });

  test("that may be retried begins again with a log of its own", async () => {
    const job = await begin(RETRIED);
    await ship(job, [result("first")]);
    await ask(`/jobs/${job.id}/`, job.token);
    await lab.settled();
    await lab.api("/devices/qemu-01/health", { body: { health: "Good" } });
    const [again] = (await ping()).start;
    expect(again).toMatchObject({ id: job.id });
    expect(again!.token).not.toBe(job.token);
    await ask(`/jobs/${job.id}/`, again!.token);
    await ship(again!, [result("second")]);
    expect(await ship(job, [result("late")], 1)).toEqual([200, { line_count: 1 }]);
    await end(again!);
    expect(await casesOf(job.id)).toEqual(["second"]);
    expect(await lab.job(job.id)).toMatchObject({ health: "Complete", attempt: 2 });
  });
});

describe("a stock worker that comes back after the lease of its job", () => {
  const silent = async () => {
    lab.pass(3600);
    await tick(lab.deps);
  };

  test("brings the job's true end", async () => {
    const job = await begin();
    await ship(job, [record("one")]);
    await silent();
    expect(await lab.job(job.id)).toMatchObject({ state: "Finished", health: "Incomplete" });
    expect((await device()).state).toBe("Running");
    expect(await ping()).toEqual({ cancel: [], running: [job], start: [] });
    await ship(job, [record("two")], 1);
    await end(job);
    expect(await lab.job(job.id)).toMatchObject({ health: "Complete", log_lines: 2 });
    expect((await device()).state).toBe("Idle");
  });

  test("gives the device back when it does not know the job any more", async () => {
    const job = await begin();
    await silent();
    expect((await ping()).running).toEqual([job]);
    expect((await ask(`/jobs/${job.id}/`, job.token)).status).toBe(404);
    expect((await device()).state).toBe("Idle");
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
  });

  test("is to stop what was canceled meanwhile", async () => {
    const job = await begin();
    await ship(job, [record("one")]);
    await lab.api(`/jobs/${job.id}/cancel`, { method: "POST" });
    await silent();
    expect(await ping()).toEqual({ cancel: [job], running: [], start: [] });
    await end(job, { result: "fail", error_type: "Canceled" });
    expect(await lab.job(job.id)).toMatchObject({ health: "Canceled" });
    expect((await device()).state).toBe("Idle");
  });

  test("is to stop the attempt that another one follows, by the token that it knows", async () => {
    const job = await begin(RETRIED);
    await silent();
    expect(await lab.job(job.id)).toMatchObject({ state: "Submitted", attempt: 2 });
    expect(await ping()).toEqual({ cancel: [job], running: [], start: [] });
    expect(await end(job, { result: "fail", error_type: "Canceled" })).toEqual([200, {}]);
    expect(await lab.job(job.id)).not.toHaveProperty("left");
    await lab.api("/devices/qemu-01/health", { body: { health: "Good" } });
    const [again] = (await ping()).start;
    expect(again).toMatchObject({ id: job.id });
    // An answer was lost: it says it once more.
    expect(await end(job, { result: "fail" })).toEqual([200, {}]);
    expect((await ping()).start).toHaveLength(1);
  });
});

describe("a stock worker that registers itself", () => {
  const register = (form: Record<string, string>, address = "127.0.0.1") =>
    told(ask("/workers/", undefined, form, address));

  test("gets a token from a network of the setting, once", async () => {
    const [status, body] = await register({ name: "new" });
    expect([status, body]).toEqual([200, { name: "new", token: expect.any(String) as string }]);
    const { token } = body as { token: string };
    expect((await ask("/workers/new/?version=2023.01", token)).status).toBe(200);
    expect(await register({ name: "new" })).toEqual([
      403,
      { error: "Worker 'new' already registered" },
    ]);
  });

  test.each([
    ["192.0.2.1", "Auto registration is forbidden for '192.0.2.1'"],
    ["unknown", "Auto registration is forbidden for 'unknown'"],
  ])("is refused from %s", async (address, error) => {
    expect(await register({ name: "new" }, address)).toEqual([403, { error }]);
  });

  test("may do so from wherever the setting says, and from nowhere when that is empty", async () => {
    const allow = (allowed: string[]) =>
      lab.api("/settings", { method: "PUT", body: { settings: { stock_workers: { allowed } } } });
    await allow(["192.0.2.0/24", "2001:db8::/32"]);
    expect((await register({ name: "new" }, "192.0.2.200"))[0]).toBe(200);
    expect((await register({ name: "six" }, "2001:db8::7"))[0]).toBe(200);
    expect((await register({ name: "mapped" }, "::ffff:192.0.2.7"))[0]).toBe(200);
    expect((await register({ name: "more" }, "127.0.0.1"))[0]).toBe(403);
    await allow([]);
    expect(await register({ name: "more" }, "192.0.2.200")).toEqual([
      403,
      { error: "Auto registration is disabled" },
    ]);
  });

  test.each([
    ["x-forwarded-for", "192.0.2.1"],
    ["x-real-ip", "192.0.2.1"],
    ["via", "1.1 proxy"],
  ])("is refused through a proxy of which the lab was not told: %s", async (name, value) => {
    const answer = await lab.app.request(
      `${BASE}/workers/`,
      {
        method: "POST",
        headers: { [name]: value },
        body: new URLSearchParams({ name: "new" }),
      },
      { address: "127.0.0.1" },
    );
    expect(answer.status).toBe(403);
  });

  test("by an administrator's token may do so from anywhere, also again", async () => {
    const form = { name: "bench", username: "admin", password: lab.adminToken };
    const [status, body] = await register(form, "192.0.2.1");
    expect(status).toBe(200);
    const { token } = body as { token: string };
    expect((await ask("/workers/bench/?version=2023.01", token)).status).toBe(200);
    expect((await ask("/workers/bench/?version=2023.01", worker)).status).toBe(200);
  });

  test("is refused by anybody else's", async () => {
    const { token } = await lab.addUser("lee");
    for (const [username, password] of [
      ["lee", token],
      ["admin", token],
      ["admin", "wrong"],
      ["admin", worker],
    ] as const) {
      expect(await register({ name: "new", username, password }, "192.0.2.1")).toEqual([
        403,
        { error: `Unknown user ${username}` },
      ]);
    }
  });

  test.each([
    [{}, "Missing 'name'"],
    [{ name: "../x" }, "Invalid 'name'"],
  ])("needs a good name: %j", async (form, error) => {
    expect(await register(form)).toEqual([400, { error }]);
  });

  test("posts to no other place", async () => {
    expect(await told(ask("/workers/bench/", worker, { name: "bench" }))).toEqual([
      403,
      { error: "POST is forbidden for such url" },
    ]);
  });
});
