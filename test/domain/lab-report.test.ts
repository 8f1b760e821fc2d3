import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { attemptItem, jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { countDays } from "../../control-plane/domain/reports/count-days.ts";
import { labReport } from "../../control-plane/domain/reports/lab-report.ts";
import { ALL_JOBS, lastIdBefore } from "../../control-plane/domain/submitted-before.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

/** The lab's clock stands at noon of 2026-03-01. */
const DAYS = ["2026-03-01", "2026-02-28", "2026-02-27", "2026-02-26"];

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

function aRecord(id: number, submit_time: string, more: Partial<JobRecord> = {}): JobRecord {
  const later = (seconds: number) =>
    new Date(Date.parse(submit_time) + seconds * 1000).toISOString();
  return {
    ...{ id, state: "Finished", health: "Complete", description: "smoke", submitter: "ci" },
    ...{ device_type: "qemu", device: "qemu-01", priority: 50, tags: [], log_lines: 0 },
    ...{ submit_time, start_time: later(60), end_time: later(660) },
    ...more,
  };
}

async function put(...jobs: JobRecord[]): Promise<void> {
  await lab.deps.table.transact(jobs.map((job) => ({ put: jobItem(job) })));
}

const counted = async (most?: { today: number; before: number }) =>
  (await countDays(lab.deps, DAYS, most)).map(({ day, jobs, before }) => [
    day.slice(5),
    jobs,
    before !== undefined,
  ]);

test("each day has the jobs that were submitted on it, also days without any", async () => {
  await put(aRecord(1, "2026-02-26T23:59:59.999Z"), aRecord(2, "2026-02-28T00:00:00.000Z"));
  await put(aRecord(3, "2026-02-28T12:00:00.000Z"), aRecord(4, "2026-03-01T00:00:00.000Z"));
  const days = [
    ["03-01", 1, true],
    ["02-28", 2, true],
    ["02-27", 0, true],
    ["02-26", 1, true],
  ];
  expect(await counted()).toEqual(days);
  expect(await counted()).toEqual(days);
});

test("a day that is over stays as it was counted when its jobs are forgotten", async () => {
  const job = aRecord(1, "2026-02-27T08:00:00.000Z");
  await put(job, aRecord(2, "2026-02-28T08:00:00.000Z"));
  await counted();
  await lab.deps.table.transact([{ delete: jobItem(job).key }]);
  expect(await counted()).toContainEqual(["02-27", 1, true]);
});

test("nothing is kept while the lab is closed, as jobs of a backup may be missing", async () => {
  await put(aRecord(1, "2026-02-28T12:00:00.000Z"));
  await lab.api("/backup/closed", { method: "PUT" });
  expect((await counted())[1]).toEqual(["02-28", 1, true]);
  await lab.api("/backup/closed", { method: "DELETE" });
  await put(aRecord(2, "2026-02-28T13:00:00.000Z"));
  expect((await counted())[1]).toEqual(["02-28", 2, true]);
});

test("a day with jobs that have not ended is counted again", async () => {
  await put(aRecord(1, "2026-02-28T08:00:00.000Z", { state: "Running", health: "Unknown" }));
  expect((await labReport(lab.deps, lab.admin, { days: 2 })).days[0]).toMatchObject({ open: 1 });
  await put(aRecord(1, "2026-02-28T08:00:00.000Z"));
  const [day] = (await labReport(lab.deps, lab.admin, { days: 2 })).days;
  expect(day).toMatchObject({ open: 0, Complete: 1 });
});

test("what one call does not get through the next ones do, and nothing is counted twice", async () => {
  const of = (day: string, first: number) =>
    Array.from({ length: 7 }, (_, n) => aRecord(first + n, `${day}T0${n}:00:00.000Z`));
  for (const [n, day] of DAYS.toReversed().entries()) await put(...of(day, 1 + n * 7));
  const most = { today: 3, before: 5 };
  expect(await counted(most)).toEqual([
    ["03-01", 3, false],
    ["02-28", 5, false],
    ["02-27", 0, false],
    ["02-26", 0, false],
  ]);
  for (let call = 0; call < 4; call++) await counted(most);
  expect(await counted(most)).toEqual([
    ["03-01", 3, false],
    ["02-28", 7, true],
    ["02-27", 7, true],
    ["02-26", 7, true],
  ]);
  const { unfinished } = await labReport(lab.deps, lab.admin, { days: 4 });
  expect(unfinished).toEqual([]);
});

test("jobs that had not ended when their day was counted in parts are looked at again", async () => {
  const open = { state: "Running", health: "Unknown" } as const;
  const of = (n: number, more: Partial<JobRecord> = {}) =>
    aRecord(n, `2026-02-28T0${n}:00:00.000Z`, more);
  await put(of(1), of(2), of(3), of(4, open));
  const most = { today: 5, before: 2 };
  expect((await counted(most))[1]).toEqual(["02-28", 2, false]);
  await put(of(4));
  expect((await counted(most))[1]).toEqual(["02-28", 4, true]);
  const [, day] = await countDays(lab.deps, DAYS);
  expect([day!.jobs, day!.open, day!.rows[0]!.Complete]).toEqual([4, 0, 4]);
});

describe("a report", () => {
  test("tells failures, waits by type and the worst devices first", async () => {
    const failed = { health: "Incomplete", error_type: "Infrastructure" } as const;
    await put(
      aRecord(1, "2026-03-01T08:00:00.000Z", { device: "qemu-02", ...failed }),
      aRecord(2, "2026-03-01T09:00:00.000Z"),
      aRecord(3, "2026-03-01T10:00:00.000Z", { health: "Canceled" }),
    );
    const report = await labReport(lab.deps, lab.admin, { days: 1 });
    expect(report.failures).toEqual([{ error_type: "Infrastructure", count: 1 }]);
    expect(report.devices.map(({ name }) => name)).toEqual(["qemu-02", "qemu-01"]);
    expect(report.devices[1]).toMatchObject({ busy_seconds: 1200, Complete: 1, Canceled: 1 });
    // Two jobs of ten minutes in the twelve hours of today.
    expect(report.devices[1]!.utilisation).toBeCloseTo(1200 / 43_200);
    const [type] = report.types;
    expect(Math.abs(type!.wait_p50! - 60)).toBeLessThanOrEqual(6);
  });

  test("blames the device that spoilt an attempt, which its job went on without", async () => {
    const submitted = "2026-03-01T08:00:00.000Z";
    const hourLater = {
      start_time: "2026-03-01T09:00:00.000Z",
      end_time: "2026-03-01T09:10:00.000Z",
    };
    const failed = { health: "Incomplete", error_type: "Infrastructure" } as const;
    const first = aRecord(1, submitted, {
      ...failed,
      device: "qemu-02",
      attempt: 1,
      retried: true,
    });
    await lab.deps.table.transact([{ put: attemptItem(first) }]);
    await put(aRecord(1, submitted, { ...hourLater, attempt: 2 }));
    const { days, devices, failures, types } = await labReport(lab.deps, lab.admin, { days: 1 });
    expect(devices).toMatchObject([
      { name: "qemu-02", Complete: 0, Incomplete: 1, busy_seconds: 600 },
      { name: "qemu-01", Complete: 1, Incomplete: 0, busy_seconds: 600 },
    ]);
    // It is one job all the same, and waited once.
    expect([days[0], types[0], failures]).toMatchObject([
      { Complete: 1, Incomplete: 0 },
      { Complete: 1, Incomplete: 0 },
      [],
    ]);
    expect(types[0]!.wait_p90).toBeLessThan(70);
  });

  test("leaves out devices and types that somebody may not see", async () => {
    await put(aRecord(1, "2026-03-01T08:00:00.000Z"));
    const { principal } = await lab.addStranger("eve");
    const report = await labReport(lab.deps, principal, { days: 7 });
    expect([report.devices, report.types, report.failures]).toEqual([[], [], []]);
    expect(report.days.every(({ Complete }) => Complete === 0)).toBe(true);
  });

  test("is in a backup", async () => {
    await put(aRecord(1, "2026-02-28T08:00:00.000Z"));
    await counted();
    const page = await lab.api<{ items: { key: { partition: string } }[] }>("/backup/items");
    expect(page.items.map(({ key }) => key.partition)).toContain("day-reports");
  });
});

test("the last job before a time is found among gaps, in each list of jobs", async () => {
  const hours = ["00", "01", "02", "05", "09"];
  const jobs = hours.map((hour, n) =>
    aRecord([3, 4, 50, 51, 900][n]!, `2026-02-28T${hour}:00:00.000Z`),
  );
  await put(...jobs);
  const before = (hour: string, list = ALL_JOBS) =>
    lastIdBefore(lab.deps, list, Date.parse(`2026-02-28T${hour}:00:00.000Z`));
  expect(await before("00")).toBeLessThan(3);
  for (const [hour, id] of [
    ["01", 3],
    ["02", 4],
    ["03", 50],
    ["06", 51],
    ["23", 900],
  ] as const) {
    const found = await before(hour);
    // Whatever lies between two jobs names the same place.
    expect(jobs.filter((job) => job.id <= found).at(-1)!.id).toBe(id);
    expect(jobs.some((job) => job.id > found && job.id <= id)).toBe(false);
    expect(await before(hour, ["i3", "device-jobs#qemu-01"])).toBeGreaterThanOrEqual(id);
  }
});
