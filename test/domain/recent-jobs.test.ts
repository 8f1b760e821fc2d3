import { expect, test } from "vitest";
import type { DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { deviceKey } from "../../control-plane/domain/keys.ts";
import { MOST_RECENT, recentJobs, withRecent } from "../../control-plane/domain/recent-jobs.ts";
import { runningJob } from "../support/browser-session.ts";
import { embeddedLab } from "../support/embedded-lab.ts";

const FAILED = { result: "fail", error_msg: "no", lines: 0 } as const;

test("what is written of a job is read again, the newest first", () => {
  const first = withRecent(undefined, { id: 7, health: "Complete" });
  const second = withRecent(first, {
    id: 8,
    health: "Incomplete",
    attempt: 1,
    retried: true,
    health_check: true,
    viewing_groups: ["team"],
  });
  expect(second).toBe("8.1ihp 7c");
  expect(recentJobs(second)).toEqual([
    { id: 8, attempt: 1, health: "Incomplete", isHealthCheck: true, isPrivate: true },
    { id: 7, health: "Complete", isHealthCheck: false, isPrivate: false },
  ]);
});

test("a job that did not end there is no entry, and old ones make place", () => {
  expect(withRecent("1c", { id: 2, health: "Unknown" })).toBe("1c");
  let recent: string | undefined;
  for (let id = 1; id <= 30; id++) recent = withRecent(recent, { id, health: "Canceled" });
  const ids = recentJobs(recent).map(({ id }) => id);
  expect([ids.length, ids[0], ids.at(-1)]).toEqual([MOST_RECENT, 30, 11]);
  expect(recent!.length).toBeLessThan(100);
});

test("what is no entry is left out", () => {
  expect(recentJobs("nonsense 12 12c 13ix <b> 14cz")).toEqual([
    { id: 12, health: "Complete", isHealthCheck: false, isPrivate: false },
  ]);
});

test("what happens on a device is remembered: the end of a job, an attempt that is tried again, a canceled one", async () => {
  const lab = await embeddedLab();
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  const { id, token } = await runningJob(lab, worker, { lines: ["retry_on: infrastructure"] });
  await lab.finish(id, token, { ...FAILED, error_type: "Infrastructure" });
  // The worker forgets the first attempt, and is given the second.
  await lab.sync(worker);
  const again = (await lab.sync(worker)).start.find(({ job_id }) => job_id === id)!;
  await lab.finish(id, again.token, { result: "pass", lines: 0 });
  const { id: next, token: last } = await runningJob(lab, worker);
  await lab.api(`/jobs/${next}/cancel`, { method: "POST" });
  await lab.finish(next, last, { ...FAILED, error_type: "Canceled" });
  const item = await lab.deps.table.get<DeviceRecord>(deviceKey("qemu-01"));
  expect(item?.data.recent).toBe(`${next}x ${id}.2c ${id}.1i`);
  await lab.close();
});
