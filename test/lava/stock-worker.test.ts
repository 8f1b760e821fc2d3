import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closeLab } from "../../control-plane/domain/closed-lab.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob } from "../support/group-job.ts";
import {
  ask,
  BASE,
  begin,
  bench,
  device,
  end,
  ping,
  record,
  ship,
  told,
  stockWorkerLab,
} from "../support/stock-worker-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  ({ lab, worker } = await stockWorkerLab());
});
afterEach(() => lab.close());

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

  test("gets no multinode jobs in a lab without a coordinator: somebody who asks why hears it", async () => {
    await ping();
    await lab.addDevice("qemu-02");
    const id = await lab.submit(aGroupJob());
    expect(await ping()).toEqual({ cancel: [], running: [], start: [] });
    expect(JSON.stringify(await lab.job(id))).toContain("--coordinator");
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
