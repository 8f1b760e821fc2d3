import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView, JobList, JobView, LogPage, ResultList } from "#protocol/api.ts";
import type { FinishRequest, RunnerReport } from "#protocol/worker-api.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob, aResult } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const RETRIED = aJob({ lines: ["retry_on: infrastructure"] });
const DEAD_BOARD = {
  result: "fail",
  error_type: "Infrastructure",
  error_msg: "Connection closed",
  evidence: { pattern: "login:", line: 1 },
} as const;

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab({ jobLeaseSeconds: 600 });
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
});
afterEach(() => lab.close());

const runner = (id: number, state: RunnerReport["state"]): RunnerReport[] => [
  { job_id: id, state },
];
const device = (name: string) => lab.api<DeviceView>(`/devices/${name}`);
const sweep = async (seconds: number) => {
  lab.pass(seconds);
  await tick(lab.deps);
  await lab.settled();
};

/** Submits a job and runs its attempt up to its end: its id and what its worker was given. */
async function attemptOf(definition: string, end: Omit<FinishRequest, "lines">) {
  const id = await lab.submit(definition);
  const { start } = await lab.sync(worker);
  const { token, device_hostname } = start.find(({ job_id }) => job_id === id)!;
  await lab.sync(worker, runner(id, "running"));
  const records = [
    { dt: "2026-03-01T12:00:00Z", lvl: "info", msg: `on ${device_hostname}` },
    { dt: "2026-03-01T12:00:00Z", lvl: "results", msg: aResult({ case: device_hostname }) },
  ];
  await lab.ship(id, token, 0, records);
  const response = await lab.finish(id, token, { ...end, lines: 2 });
  return { id, token, hostname: device_hostname, status: response.status };
}

describe("a job that asks for it and that the lab's infrastructure has spoilt", () => {
  test("goes back to the queue under its id, and to another device that is idle", async () => {
    const other = await lab.addWorker("other");
    await lab.addDevice("qemu-02", { worker: "other" });
    await lab.sync(other);
    await lab.api("/devices/qemu-02/health", { body: { health: "Maintenance" } });
    const id = await lab.submit(RETRIED);
    const { start } = await lab.sync(worker);
    const { token, device_hostname: hostname } = start[0]!;
    await lab.api("/devices/qemu-02/health", { body: { health: "Good" } });
    const { status } = await lab.finish(id, token, { ...DEAD_BOARD, lines: 0 });
    expect(status).toBe(200);
    const after = await lab.job(id);
    expect(after).toMatchObject({ id, state: "Scheduled", health: "Unknown", attempt: 2 });
    expect(after.device).not.toBe(hostname);
    expect(after).not.toHaveProperty("error_type");
    expect(after).not.toHaveProperty("failed_on");
    expect(after).not.toHaveProperty("left");
    expect(await device(hostname)).toMatchObject({ state: "Idle", health: "Unknown" });
  });

  test("keeps both attempts, each with its log and its results", async () => {
    await lab.addDevice("qemu-02");
    const { id, hostname } = await attemptOf(RETRIED, DEAD_BOARD);
    await lab.sync(worker);
    const [second] = (await lab.sync(worker)).start;
    expect(second?.device_hostname).not.toBe(hostname);
    await lab.sync(worker, runner(id, "running"));
    await lab.ship(id, second!.token, 0, [{ lvl: "info", msg: "second" }]);
    await lab.finish(id, second!.token, { result: "pass", lines: 1 });

    const job = await lab.job(id);
    expect(job).toMatchObject({ state: "Finished", health: "Complete", attempt: 2, log_lines: 1 });
    expect(job.earlier_attempts).toEqual([
      expect.objectContaining({
        attempt: 1,
        device: hostname,
        error_type: "Infrastructure",
        error_msg: "Connection closed",
        evidence: { pattern: "login:", line: 1 },
        log_lines: 2,
      }),
    ]);
    expect(await lab.api<JobView>(`/jobs/${id}?attempt=1`)).toMatchObject({
      id,
      state: "Finished",
      health: "Incomplete",
      attempt: 1,
      retried: true,
      device: hostname,
    });
    const logs = async (query: string) => {
      const page = await lab.api<LogPage>(`/jobs/${id}/log?${query}`);
      return [page.attempt, page.complete, ...page.records.map(({ msg }) => msg)];
    };
    expect(await logs("")).toEqual([2, true, "second"]);
    expect(await logs("attempt=1&end=1&start=0")).toEqual([1, false, `on ${hostname}`]);
    expect((await logs("attempt=1")).slice(0, 2)).toEqual([1, true]);
    const text = await lab.request(`/jobs/${id}/log?attempt=1&format=ndjson`);
    expect((await text.text()).trim().split("\n")).toHaveLength(2);
    const names = async (query: string) =>
      (await lab.api<ResultList>(`/jobs/${id}/results?${query}`)).results.map(({ name }) => name);
    expect(await names("")).toEqual([]);
    expect(await names("attempt=1")).toEqual([hostname]);
    expect((await lab.request(`/jobs/${id}?attempt=3`)).status).toBe(404);
    expect((await lab.request(`/jobs/${id}/log-chunks?attempt=3`)).status).toBe(404);
    expect((await lab.request(`/jobs/${id}/results?attempt=1&format=junit`)).status).toBe(200);
  });

  test("stands among the jobs of both devices, and once among all jobs", async () => {
    await lab.addDevice("qemu-02");
    const { id, hostname } = await attemptOf(RETRIED, DEAD_BOARD);
    await lab.sync(worker);
    const listed = async (query: string) =>
      (await lab.api<JobList>(`/jobs?${query}`)).jobs.map(
        ({ attempt, retried, state }) => [attempt, retried, state] as const,
      );
    expect(await listed(`device=${hostname}`)).toEqual([[1, true, "Finished"]]);
    const other = (await lab.job(id)).device!;
    expect(await listed(`device=${other}`)).toEqual([[2, undefined, "Scheduled"]]);
    expect(await listed("")).toEqual([[2, undefined, "Scheduled"]]);
  });

  test("stands there once, wherever a page of the list ends", async () => {
    const { id } = await attemptOf(RETRIED, DEAD_BOARD);
    await lab.sync(worker);
    const [second] = (await lab.sync(worker)).start;
    await lab.finish(id, second!.token, { result: "pass", lines: 0 });
    await lab.sync(worker);
    await attemptOf(aJob(), { result: "pass" });
    const listed: unknown[] = [];
    for (let cursor: string | undefined, page = 0; page < 5; page++) {
      const query = cursor === undefined ? "" : `&cursor=${cursor}`;
      const list = await lab.api<JobList>(`/jobs?device=qemu-01&limit=1${query}`);
      listed.push(...list.jobs.map((job) => [job.id, job.attempt]));
      if (list.next_cursor === undefined) break;
      cursor = list.next_cursor;
    }
    expect(listed).toEqual([
      [id + 1, undefined],
      [id, 1],
      [id, 2],
    ]);
  });

  test("is given the same device where there is no other, once its worker has let go of it", async () => {
    const { id, token } = await attemptOf(RETRIED, DEAD_BOARD);
    expect(await lab.job(id)).toMatchObject({
      state: "Submitted",
      attempt: 2,
      waits_for: expect.stringContaining("not yet let go of the attempt before"),
    });
    // The runner of the first attempt is not taken for one of the second.
    expect((await lab.sync(worker, runner(id, "finished"))).forget).toEqual([id]);
    expect((await lab.job(id)).state).toBe("Submitted");
    await lab.sync(worker);
    const { start, forget } = await lab.sync(worker);
    expect(forget).toEqual([]);
    expect(start).toMatchObject([{ job_id: id, device_hostname: "qemu-01" }]);
    expect(start[0]?.token).not.toBe(token);
  });

  test("does not wait for a worker that was removed, nor for another one of its name", async () => {
    const { id } = await attemptOf(RETRIED, DEAD_BOARD);
    for (const path of ["/devices/qemu-01", "/workers/bench"]) {
      expect((await lab.request(path, { method: "DELETE" })).status).toBeLessThan(300);
    }
    const again = await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.sync(again);
    expect((await lab.sync(again)).start).toMatchObject([{ job_id: id }]);
  });

  test("wakes its worker, which has a runner to forget", async () => {
    const id = await lab.submit(RETRIED);
    const { start } = await lab.sync(worker);
    const { seen } = await lab.sync(worker, runner(id, "running"));
    const held = lab.sync(worker, runner(id, "finished"), { seen, wait_seconds: 50 });
    await lab.finish(id, start[0]!.token, { ...DEAD_BOARD, lines: 0 });
    expect((await held).forget).toEqual([id]);
  });

  test("ends for good with its second attempt, whatever that comes to", async () => {
    const { id } = await attemptOf(RETRIED, DEAD_BOARD);
    await lab.sync(worker);
    const [second] = (await lab.sync(worker)).start;
    await lab.finish(id, second!.token, { ...DEAD_BOARD, lines: 0 });
    expect(await lab.job(id)).toMatchObject({
      state: "Finished",
      health: "Incomplete",
      error_type: "Infrastructure",
      attempt: 2,
    });
    expect(await device("qemu-01")).toMatchObject({ state: "Idle" });
  });

  test("takes nothing more from the worker of its first attempt", async () => {
    const { id, token } = await attemptOf(RETRIED, DEAD_BOARD);
    expect((await lab.finish(id, token, { result: "pass", lines: 2 })).status).toBe(401);
    await lab.sync(worker);
    await expect(lab.ship(id, token, 2, [{ lvl: "info", msg: "late" }])).rejects.toThrow("401");
    expect(await lab.job(id)).toMatchObject({ state: "Scheduled", log_lines: 0 });
  });

  test("may wait as long again as it wanted to at first", async () => {
    const queue = RETRIED.replace("timeouts:\n", "timeouts:\n  queue: {minutes: 5}\n");
    const { id } = await attemptOf(queue, DEAD_BOARD);
    await sweep(299);
    expect((await lab.job(id)).state).toBe("Submitted");
    await sweep(1);
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled", attempt: 2 });
  });

  test("can be canceled while it waits again, and its first attempt stays", async () => {
    const { id } = await attemptOf(RETRIED, DEAD_BOARD);
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    const job = await lab.job(id);
    expect(job).toMatchObject({ state: "Finished", health: "Canceled" });
    expect(job.earlier_attempts).toHaveLength(1);
    await lab.sync(worker);
    const next = await lab.submit();
    expect((await lab.job(next)).state).toBe("Scheduled");
  });
});

describe("a job is not tried again", () => {
  test.each([
    ["nobody asked", aJob(), DEAD_BOARD],
    ["it passed", RETRIED, { result: "pass" }],
    ...(["Job", "Test", "Configuration", "Bug"] as const).map(
      (error_type) =>
        [`it failed by ${error_type}`, RETRIED, { result: "fail", error_type }] as const,
    ),
  ] as const)("when %s", async (_, definition, end) => {
    const { id } = await attemptOf(definition, end);
    const job = await lab.job(id);
    expect(job.state).toBe("Finished");
    expect(job).not.toHaveProperty("attempt");
  });

  test("when it was to be canceled", async () => {
    const id = await lab.submit(RETRIED);
    const { start } = await lab.sync(worker);
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    await lab.finish(id, start[0]!.token, { ...DEAD_BOARD, lines: 0 });
    expect(await lab.job(id)).toMatchObject({ state: "Finished", health: "Canceled" });
  });
});

describe("a device type can ask for all of its jobs", () => {
  beforeEach(() =>
    lab.api("/device-types/qemu", { method: "PUT", body: { retry_on: "infrastructure" } }),
  );

  test("that say nothing about it", async () => {
    const { id } = await attemptOf(aJob(), DEAD_BOARD);
    expect(await lab.job(id)).toMatchObject({ attempt: 2, retry_on: "infrastructure" });
  });

  test("but not for one that declines", async () => {
    const { id } = await attemptOf(aJob({ lines: ["retry_on: never"] }), DEAD_BOARD);
    expect((await lab.job(id)).state).toBe("Finished");
  });
});

describe("a job whose worker is silent past the lease", () => {
  let id: number;
  let other: string;
  beforeEach(async () => {
    id = await lab.submit(RETRIED);
    await lab.sync(worker);
    await lab.sync(worker, runner(id, "running"));
    other = await lab.addWorker("other");
    await lab.addDevice("qemu-02", { worker: "other" });
    await sweep(600);
  });

  test("goes to another worker, and the silent one keeps its device until it is heard of", async () => {
    expect((await lab.job(id)).state).toBe("Submitted");
    const { start } = await lab.sync(other);
    expect(start).toEqual([]);
    expect((await lab.sync(other)).start).toMatchObject([
      { job_id: id, device_hostname: "qemu-02" },
    ]);
    expect(await device("qemu-01")).toMatchObject({ state: "Running", current_job: id });
    await lab.sync(other, runner(id, "running"));

    // It still runs the first attempt: that one is stopped, the second goes on.
    expect((await lab.sync(worker, runner(id, "running"))).cancel).toEqual([id]);
    expect((await lab.sync(worker, runner(id, "finished"))).forget).toEqual([id]);
    expect(await device("qemu-01")).toMatchObject({ state: "Running", current_job: id });
    await lab.sync(worker);
    expect(await device("qemu-01")).toMatchObject({ state: "Idle", health: "Unknown" });
    expect(await lab.job(id)).toMatchObject({ state: "Running", device: "qemu-02" });
  });

  test("is not canceled by retiring the device that the silent worker holds", async () => {
    await lab.sync(other);
    expect((await lab.job(id)).state).toBe("Scheduled");
    await lab.api("/devices/qemu-01/health", { body: { health: "Retired" } });
    expect((await lab.job(id)).state).toBe("Scheduled");
  });

  test("is not taken back a second time for the silence of the worker that it has left", async () => {
    await lab.sync(other);
    await lab.sync(other);
    await sweep(30);
    await tick(lab.deps);
    expect(await lab.job(id)).toMatchObject({ state: "Scheduled", attempt: 2 });
  });
});
