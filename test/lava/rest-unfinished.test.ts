import { afterAll, beforeAll, expect, test } from "vitest";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { MOST_WALKED } from "../../control-plane/domain/walk-jobs.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob } from "../support/group-job.ts";
import { restClient } from "../support/rest-client.ts";

/* A few jobs that have not ended, between more that have than one request looks at. */
let lab: EmbeddedLab;
let running: number;
let waiting: number[];
let group: number[];
const { json } = restClient(() => lab);

beforeAll(async () => {
  lab = await embeddedLab();
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  running = await lab.submit();
  const { start } = await lab.sync(worker);
  await lab.sync(worker, [{ job_id: start[0]!.job_id, state: "running" }]);
  waiting = [await lab.submit(), await lab.submit(aJob({ name: "other" }))];
  const submitted = await lab.api<{ job_ids: number[] }>("/jobs", { body: aGroupJob() });
  group = submitted.job_ids;
  await lab.deps.table.raiseCounter("job", MOST_WALKED + 1000);
  const first = Math.max(...group) + 1;
  const ended = Array.from({ length: MOST_WALKED + 50 }, (_none, n): JobRecord => ({
    ...{ id: first + n, state: "Finished", health: "Complete", description: "old" },
    ...{ device_type: "qemu", submitter: "bob", priority: 50, tags: [], log_lines: 0 },
    submit_time: "2026-02-01T00:00:00Z",
  }));
  for (let at = 0; at < ended.length; at += 100) {
    const some = ended.slice(at, at + 100).map((job) => ({ put: jobItem(job) }));
    await lab.deps.table.transact(some);
  }
  waiting.push(await lab.submit());
});
afterAll(() => lab.close());

const found = async (query: string) => {
  const [status, { count, results, ...rest }] = await json(`jobs/?${query}`);
  expect([status, count]).toEqual([200, results.length]);
  expect(rest).toEqual({ next: null, previous: null });
  return results.map(({ id }) => id);
};

test("jobs that have not ended are all found, wherever they are, with their number", async () => {
  const [one, two, last] = waiting as [number, number, number];
  expect(await found("state=Running")).toEqual([running]);
  expect(await found("state__in=Scheduled,Running,Canceling")).toEqual([running]);
  expect(await found("state=Submitted")).toEqual([one, two, ...group, last]);
  expect(await found("state__in=Submitted,Running&ordering=-id")).toEqual(
    [running, one, two, ...group, last].toReversed(),
  );
  expect(await found("state=Submitted&requested_device_type=qemu&description=other")).toEqual([
    two,
  ]);
  expect(await found("state=Canceling")).toEqual([]);
});

test("each is there for those who may see it only", async () => {
  const personal = aJob().replace("visibility: public", "visibility: personal");
  const id = await lab.submit(personal);
  const { token } = await lab.addUser("lee");
  const ids = async (by: string) =>
    (await json("jobs/?state=Submitted", { token: by }))[1].results.map((job) => job.id);
  expect(await ids(lab.adminToken)).toContain(id);
  expect(await ids(token)).not.toContain(id);
  expect(await ids(token)).toContain(waiting[0]);
});
