import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { JobView } from "#protocol/api.ts";
import { cancel } from "../../control-plane/domain/cancel.ts";
import type { ChangeRecord } from "../../control-plane/domain/changes.ts";
import { findJobItem } from "../../control-plane/domain/job-record.ts";
import { resumeGroup } from "../../control-plane/domain/reserve-group.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { settleGroup } from "../../control-plane/domain/settle-group.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { TableConflict, type Operation } from "../../control-plane/ports/table.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob, aGuestRole, aRole } from "../support/group-job.ts";
import { groupSteps } from "../support/group-steps.ts";

let lab: EmbeddedLab;
let bench: string;
beforeEach(async () => {
  lab = await embeddedLab();
  bench = await lab.addWorker();
});
afterEach(() => lab.close());

const BBB = "device_type: bbb";
const addBbb = (hostname: string, more: object = {}) =>
  lab.addDevice(hostname, { device_type: "bbb", ...more });
const { states, device, setHealth, submitGroup, occupy } = groupSteps(() => ({ lab, bench }));

describe("a group that is too large for one transaction", () => {
  const history = async (id: number) => {
    const { items } = await lab.deps.table.query<ChangeRecord>("main", `changes#job#${id}`);
    return items.map(({ data }) => data.changed["state"]?.[1]);
  };
  const wide = async (size: number) => {
    for (let n = 0; n < size; n++) await lab.addDevice(`q${n}`);
    await lab.sync(bench);
    return submitGroup(aGroupJob({ host: aRole(), a: aRole(size - 1), guest: aGuestRole() }));
  };

  test("of fifty devices begins whole, runs, and ends", async () => {
    const ids = await wide(50);
    expect(await states(...ids)).toEqual(ids.map(() => "Scheduled"));
    expect(await history(ids[7]!)).toEqual(["Submitted", "Scheduling", "Scheduled"]);
    const { start } = await lab.sync(bench);
    expect(start.map(({ job_id }) => job_id)).toEqual(ids);
    await lab.sync(
      bench,
      ids.map((job_id) => ({ job_id, state: "running" as const })),
    );
    expect(await states(...ids)).toEqual(ids.map(() => "Running"));
    for (const { job_id, token } of start) {
      await lab.finish(job_id, token, { result: "pass", lines: 0 });
    }
    expect(await states(...ids)).toEqual(ids.map(() => "Finished"));
    expect((await lab.deps.table.query("i1", "open-multinode")).items).toEqual([]);
    expect((await device("q49")).state).toBe("Idle");
  });

  test("waits whole while it lacks one, and its jobs are canceled together", async () => {
    for (let n = 0; n < 30; n++) await lab.addDevice(`q${n}`);
    await lab.sync(bench);
    const end = await occupy("q29");
    const ids = await submitGroup(aGroupJob({ a: aRole(30) }));
    expect(await states(...ids)).toEqual(ids.map(() => "Submitted"));
    await end();
    expect(await states(...ids)).toEqual(ids.map(() => "Scheduled"));
    await lab.api(`/jobs/${ids[3]}/cancel`, { body: {} });
    await lab.sync(bench);
    const healths = await Promise.all(ids.map(async (id) => (await lab.job(id)).health));
    expect(healths).toEqual(ids.map(() => "Canceled"));
    expect((await device("q0")).state).toBe("Idle");
  });

  test("gives back what it has reserved when one device is not to be had after all, and begins later", async () => {
    const transact = lab.deps.table.transact.bind(lab.deps.table);
    let reserving = 0;
    let lost = "";
    const spy = vi.spyOn(lab.deps.table, "transact").mockImplementation(async (operations) => {
      const jobs = operations.filter((one) => "put" in one && isScheduling(one.put.data));
      // Somebody takes a device away between two of its writes.
      if (jobs.length > 0 && ++reserving === 2) {
        lost = operations.flatMap((one) => ("put" in one ? hostnameIn(one.put.data) : []))[0] ?? "";
        await lab.api(`/devices/${lost}/health`, { body: { health: "Maintenance" } });
      }
      return transact(operations);
    });
    const ids = await wide(30);
    spy.mockRestore();
    expect(reserving).toBe(2);
    expect(await states(...ids)).toEqual(ids.map(() => "Submitted"));
    const held = await Promise.all(ids.slice(0, 30).map(async (_, n) => device(`q${n}`)));
    expect(held.filter(({ state }) => state !== "Idle")).toEqual([]);
    await setHealth(lost, "Good");
    expect(await states(...ids)).toEqual(ids.map(() => "Scheduled"));
  });

  test("of which a job is canceled just before its last write begins with none of them", async () => {
    const transact = lab.deps.table.transact.bind(lab.deps.table);
    let canceled = false;
    const spy = vi.spyOn(lab.deps.table, "transact").mockImplementation(async (operations) => {
      const isLast = operations.some((one) => "put" in one && phaseIn(one.put.data) === "begun");
      if (isLast && !canceled) {
        canceled = true;
        // Whoever cancels it has not come to the others yet.
        const by = { who: "admin" };
        await cancel(lab.deps, (await findJobItem(lab.deps, 3))!, by, { alone: true });
      }
      return transact(operations);
    });
    const ids = await wide(30);
    spy.mockRestore();
    expect(canceled).toBe(true);
    const told = await Promise.all(ids.map(history));
    expect(told.flat()).not.toContain("Scheduled");
    await settleGroup(lab.deps, (await lab.job(1)).group ?? "");
    const healths = await Promise.all(ids.map(async (id) => (await lab.job(id)).health));
    expect(healths).toEqual(ids.map(() => "Canceled"));
    expect((await device("q0")).state).toBe("Idle");
  });

  /** Cancels one job, and no other, just before something is written of it with this state. */
  const cancelBefore = (
    id: number,
    state: string,
    meanwhile: (operations: Operation[]) => Promise<void> = async () => {},
  ) => {
    const transact = lab.deps.table.transact.bind(lab.deps.table);
    const spy = vi.spyOn(lab.deps.table, "transact").mockImplementation(async (operations) => {
      await meanwhile(operations as Operation[]);
      const isIt = operations.some((one) => "put" in one && isJobIn(one.put.data, id, state));
      const item = isIt ? await findJobItem(lab.deps, id) : undefined;
      if (item?.data.state === "Scheduling") {
        spy.mockRestore();
        await cancel(lab.deps, item, { who: "admin" }, { alone: true });
      }
      return transact(operations);
    });
  };

  test("of which a job is canceled just before it becomes Scheduled: that one never does", async () => {
    cancelBefore(3, "Scheduled");
    const ids = await wide(30);
    expect(await history(3)).not.toContain("Scheduled");
    expect((await lab.job(3)).state).not.toBe("Scheduled");
    expect(await history(ids[0]!)).toContain("Scheduled");
  });

  test("of which a job is canceled just before its device is given back: it waits no more", async () => {
    let reserving = 0;
    cancelBefore(3, "Submitted", async (operations) => {
      const jobs = operations.filter((one) => "put" in one && isScheduling(one.put.data));
      if (jobs.length === 0 || ++reserving !== 2) return;
      const [lost] = operations.flatMap((one) => ("put" in one ? hostnameIn(one.put.data) : []));
      await lab.api(`/devices/${lost}/health`, { body: { health: "Maintenance" } });
    });
    const ids = await wide(30);
    const healths = await Promise.all(ids.map(async (id) => (await lab.job(id)).health));
    expect(reserving).toBe(2);
    expect(healths[2]).toBe("Canceled");
    const history3 = await history(3);
    expect(history3.indexOf("Submitted", 1)).toBe(-1);
    for (const id of ids) expect((await lab.job(id)).state).not.toBe("Scheduling");
  });

  test("whose pass was slow, so that others gave its devices back, reserves no more of them", async () => {
    const transact = lab.deps.table.transact.bind(lab.deps.table);
    let reserving = 0;
    const spy = vi.spyOn(lab.deps.table, "transact").mockImplementation(async (operations) => {
      if (
        operations.some((one) => "put" in one && isScheduling(one.put.data)) &&
        ++reserving === 2
      ) {
        lab.pass(61);
        const group = (await lab.job(1)).group ?? "";
        await resumeGroup(lab.deps, group);
        expect(await states(1, 2, 3)).toEqual(["Submitted", "Submitted", "Submitted"]);
        // It was the last thing that this process did in time.
        spy.mockRestore();
        await expect(transact(operations)).rejects.toBeInstanceOf(TableConflict);
      }
      return transact(operations);
    });
    // Nothing but the group itself is in both of its writes.
    const other = await lab.addWorker("other");
    for (let n = 0; n < 19; n++) await lab.addDevice(`q${n}`);
    for (let n = 0; n < 14; n++) await addBbb(`b${n}`, { worker: "other" });
    await lab.sync(bench);
    await lab.sync(other);
    const ids = await submitGroup(aGroupJob({ a: aRole(19), b: aRole(14, BBB) }));
    expect(reserving).toBe(2);
    await schedulePass(lab.deps, "qemu");
    expect(await states(...ids)).toEqual(ids.map(() => "Scheduled"));
  });

  test("whose submission died is canceled as far as it was written; nothing of it begins", async () => {
    for (let n = 0; n < 60; n++) await lab.addDevice(`q${n}`);
    await lab.sync(bench);
    const transact = lab.deps.table.transact.bind(lab.deps.table);
    let parts = 0;
    const spy = vi.spyOn(lab.deps.table, "transact").mockImplementation(async (operations) => {
      const isPart = operations.some((one) => "check" in one);
      if (isPart) parts += 1;
      if (parts > 1) throw new Error("it died");
      await transact(operations);
    });
    const response = await lab.request("/jobs", { body: aGroupJob({ a: aRole(60) }) });
    expect(response.status).toBe(500);
    spy.mockRestore();
    await schedulePass(lab.deps, "qemu");
    const { jobs } = await lab.api<{ jobs: JobView[] }>("/jobs");
    expect(jobs.length).toBeGreaterThan(10);
    expect(new Set(jobs.map(({ state }) => state))).toEqual(new Set(["Submitted"]));
    lab.pass(61);
    await tick(lab.deps);
    const after = await lab.api<{ jobs: JobView[] }>("/jobs");
    expect(new Set(after.jobs.map(({ health }) => health))).toEqual(new Set(["Canceled"]));
    expect((await lab.deps.table.query("i1", "open-multinode")).items).toEqual([]);
  });
});

const phaseIn = (data: object): unknown =>
  "phase" in data && data.phase instanceof Object && "name" in data.phase && data.phase.name;
const hostnameIn = (data: object): string[] =>
  "current_job" in data && "hostname" in data ? [String(data.hostname)] : [];
const isJobIn = (data: object, id: number, state: string): boolean =>
  "id" in data && data.id === id && "state" in data && data.state === state;
const isScheduling = (data: object): boolean => "state" in data && data.state === "Scheduling";
