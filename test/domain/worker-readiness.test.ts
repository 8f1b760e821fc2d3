import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobView, WorkerView } from "#protocol/api.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const full = { no_jobs: "disk full at /work: 3 MB are free there" };
const view = () => lab.api<WorkerView>("/workers/bench");

describe("a worker that says why it can't begin another job", () => {
  test("is assigned none, and both it and the job that waits show why", async () => {
    await lab.sync(worker, [], full);
    const id = await lab.submit();
    const job = await lab.job(id);
    expect(job.state).toBe("Submitted");
    expect((job as JobView).waits_for).toMatch(
      /on worker bench, which can't begin another job: disk full at \/work/,
    );
    expect(await view()).toMatchObject({
      state: "Online",
      notice: "gets no new jobs: disk full at /work: 3 MB are free there",
    });
  });

  test("is not told to start one that it was assigned before, until it can", async () => {
    await lab.sync(worker);
    const id = await lab.submit();
    expect(await lab.sync(worker, [], full)).toMatchObject({ start: [], held: [id] });
    expect((await lab.job(id)).state).toBe("Scheduled");
    const answer = await lab.sync(worker);
    expect(answer.held).toBeUndefined();
    expect(answer.start.map(({ job_id }) => job_id)).toEqual([id]);
    expect((await view()).notice).toBeUndefined();
  });

  test("hears when the job that it keeps waiting is gone", async () => {
    await lab.sync(worker);
    const id = await lab.submit();
    expect((await lab.sync(worker, [], full)).held).toEqual([id]);
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    expect((await lab.sync(worker, [], full)).held).toEqual([]);
  });

  test("goes on with what it runs, and is given what waits as soon as it can begin again", async () => {
    await lab.addDevice("qemu-02");
    await lab.sync(worker);
    const first = await lab.submit();
    await lab.sync(worker);
    const running = [{ job_id: first, state: "running" as const }];
    expect(await lab.sync(worker, running, full)).toMatchObject({ cancel: [], lost: [] });
    expect((await lab.job(first)).state).toBe("Running");
    const second = await lab.submit(aJob({ name: "second" }));
    expect((await lab.job(second)).state).toBe("Submitted");
    await lab.sync(worker, running);
    expect((await lab.job(second)).state).toBe("Scheduled");
  });
});

test("a worker that has lost a running job is given its ticket again, to switch the device off", async () => {
  await lab.sync(worker);
  const id = await lab.submit();
  const [ticket] = (await lab.sync(worker)).start;
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  const { lost, start } = await lab.sync(worker);
  expect(start).toEqual([]);
  expect(lost).toEqual([{ job_id: id, token: ticket?.token, ticket }]);
});
