import { expect, test } from "vitest";
import {
  MOST_RECENT,
  recentJobs,
  withRecent,
} from "../../control-plane/domain/recent-jobs.ts";

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
