import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeviceView } from "#protocol/api.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
let id: number;
let token: string;
beforeEach(async () => {
  lab = await embeddedLab({ workerSilentSeconds: 60, jobLeaseSeconds: 600 });
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

async function running(definition = aJob()): Promise<void> {
  id = await lab.submit(definition);
  const ticket = (await lab.sync(worker)).start[0];
  token = ticket?.token ?? "";
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
}
async function silentFor(seconds: number): Promise<void> {
  lab.pass(seconds);
  await tick(lab.deps);
  await lab.settled();
}
const release = async () => {
  const response = await lab.request("/devices/qemu-01/release", { method: "POST" });
  await lab.settled();
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const device = () => lab.api<DeviceView>("/devices/qemu-01");

test("a device is taken from a job whose worker is silent: the job ends as the lab's fault", async () => {
  await running();
  await silentFor(120);
  const { status, body } = await release();
  expect(status).toBe(200);
  expect(body).toMatchObject({ state: "Idle", health: "Unknown" });
  expect(await lab.job(id)).toMatchObject({
    state: "Finished",
    health: "Incomplete",
    error_type: "Infrastructure",
    error_msg: expect.stringMatching(
      /^admin released device qemu-01: worker bench has been silent/,
    ),
  });
});

test("so is one that is held after the lease, whose job stays ended as it was", async () => {
  await running();
  await silentFor(700);
  expect(await device()).toMatchObject({ current_job: id });
  expect((await release()).status).toBe(200);
  expect((await device()).current_job).toBeUndefined();
  expect((await lab.job(id)).error_msg).toMatch(/silent for more than 10 minutes/);
});

test("so is one of an attempt that the job has left, which goes on elsewhere", async () => {
  await running(aJob({ lines: ["retry_on: infrastructure"] }));
  await silentFor(700);
  expect(await lab.job(id)).toMatchObject({ state: "Submitted", attempt: 2 });
  expect((await release()).status).toBe(200);
  expect((await device()).current_job).toBeUndefined();
  expect((await lab.job(id)).state).toBe("Submitted");
});

test("a worker that comes back after all is told to stop, and its device is the next job's", async () => {
  await running();
  await silentFor(120);
  await release();
  const next = await lab.submit();
  const answer = await lab.sync(worker, [{ job_id: id, state: "running" }]);
  expect(answer.cancel).toEqual([id]);
  const again = await lab.sync(worker, [{ job_id: id, state: "running" }]);
  expect(again.start.map(({ job_id }) => job_id)).toEqual([next]);
  expect((await lab.finish(id, token, { result: "pass", lines: 0 })).status).toBe(401);
  expect(await lab.job(id)).toMatchObject({ health: "Incomplete" });
});

test("not while the worker is Online, nor without a job, nor by just anybody", async () => {
  const idle = await release();
  expect(idle).toMatchObject({ status: 409, body: { message: "no job has device qemu-01" } });
  await running();
  const online = await release();
  expect(online.status).toBe(409);
  expect(online.body["message"]).toMatch(/worker bench is Online.*cancel the job/);
  const { token: somebody } = await lab.addUser("somebody");
  const answer = await lab.request("/devices/qemu-01/release", { method: "POST", token: somebody });
  expect(answer.status).toBe(403);
});
