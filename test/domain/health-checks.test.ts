import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView, JobList, JobView } from "#protocol/api.ts";
import type { DeviceHealth } from "#protocol/states.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const HOUR = 60 * 60;
const dictionary = "{% extends 'qemu.jinja2' %}\n";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
});
afterEach(() => lab.close());

const device = (hostname = "dut") => lab.api<DeviceView>(`/devices/${hostname}`);
const checks = async (): Promise<JobView[]> =>
  (await lab.api<JobList>("/jobs?limit=200")).jobs.filter((job) => job.health_check);
const putCheck = (name = "qemu", text = aJob({ name: "check" })) =>
  lab.api(`/health-checks/${name}`, { method: "PUT", body: text });
const addBoard = (overrides = {}) =>
  lab.addDevice("dut", { dictionary, configuration: undefined, ...overrides });
async function setHealth(health: DeviceHealth, hostname = "dut"): Promise<void> {
  await lab.api(`/devices/${hostname}/health`, { body: { health, reason: "a test" } });
  await lab.settled();
}
const setType = (settings: object) =>
  lab.api("/device-types/qemu", { method: "PUT", body: settings });

/** Runs what the worker is given until it is given nothing, each job with this end; tells the jobs. */
async function runAll(end: object = { result: "pass" }, most = 10): Promise<number[]> {
  const ran: number[] = [];
  for (let n = 0; n < most; n++) {
    const { start } = await lab.sync(worker);
    if (start.length === 0) break;
    for (const { job_id, token } of start) {
      await lab.sync(worker, [{ job_id, state: "running" }]);
      await lab.finish(job_id, token, { result: "pass", lines: 0, ...end });
      ran.push(job_id);
    }
  }
  return ran;
}
async function sweep(): Promise<void> {
  await tick(lab.deps);
  await lab.settled();
}

describe("a device has its health check first", () => {
  test("when it never had one: a new device waits with its first job", async () => {
    await putCheck();
    await addBoard();
    const id = await lab.submit();
    await lab.sync(worker);
    const [check] = await checks();
    expect(check).toMatchObject({
      state: "Scheduled",
      submitter: "lava-health",
      requested_device: "dut",
      device: "dut",
      tags: [],
      health_check: true,
    });
    expect((await lab.job(id)).state).toBe("Submitted");
    await runAll({ result: "pass" }, 1);
    expect((await lab.job(id)).state).toBe("Scheduled");
    expect(await device()).toMatchObject({ health: "Good", last_health_report_job: check!.id });
  });

  test("when its health is Unknown, whatever made it so", async () => {
    await putCheck();
    await addBoard({ health: "Unknown" });
    await lab.sync(worker);
    expect(await checks()).toHaveLength(1);
    expect((await device()).state).toBe("Reserved");
  });

  test("when the last one was submitted more than its type's frequency of hours ago, and nobody waits", async () => {
    await putCheck();
    await addBoard();
    await setType({ health_frequency: 2 });
    await lab.sync(worker);
    await runAll();
    lab.pass(2 * HOUR - 60);
    await sweep();
    await lab.sync(worker);
    expect(await checks()).toHaveLength(1);
    lab.pass(120);
    await lab.sync(worker);
    await sweep();
    expect(await checks()).toHaveLength(2);
  });

  test("when that time passes while the worker is away, once it is back", async () => {
    await putCheck();
    await addBoard();
    await lab.sync(worker);
    await runAll();
    lab.pass(25 * HOUR);
    await sweep();
    await sweep();
    expect(await checks()).toHaveLength(1);
    await lab.sync(worker);
    expect(await checks()).toHaveLength(2);
  });

  test("when it had as many jobs as its type says since the last one", async () => {
    await putCheck();
    await setType({ health_frequency: 2, health_denominator: "jobs" });
    await addBoard();
    await lab.sync(worker);
    await runAll();
    for (const _ of [1, 2, 3]) await lab.submit();
    const ran = await runAll();
    expect(ran).toHaveLength(4);
    const [later] = await checks();
    expect(ran.indexOf(later!.id)).toBe(2);
  });

  test("when a job comes to it after its type's rhythm was changed, without waiting for a sweep", async () => {
    await putCheck();
    await addBoard();
    await lab.sync(worker);
    await runAll();
    lab.pass(3 * HOUR);
    await lab.sync(worker);
    await setType({ health_frequency: 2 });
    const id = await lab.submit();
    expect(await checks()).toHaveLength(2);
    expect((await lab.job(id)).state).toBe("Submitted");
  });

  test("when the lab got one since, by the tick's round", async () => {
    await addBoard();
    await lab.sync(worker);
    await putCheck();
    expect(await checks()).toHaveLength(0);
    await sweep();
    expect(await checks()).toHaveLength(1);
  });
});

describe("none comes", () => {
  test("to a device whose type has them switched off: Good and Unknown ones are simply available", async () => {
    await putCheck();
    await setType({ health_disabled: true });
    await addBoard({ health: "Unknown" });
    const id = await lab.submit();
    await lab.sync(worker);
    expect(await checks()).toEqual([]);
    expect((await lab.job(id)).device).toBe("dut");
  });

  test("where there is no health check for it", async () => {
    await putCheck("beaglebone-black");
    await addBoard({ health: "Unknown" });
    const id = await lab.submit();
    await lab.sync(worker);
    expect((await lab.job(id)).device).toBe("dut");
  });

  test("to a device with a configuration in place of a dictionary", async () => {
    await putCheck();
    await lab.addDevice("dut", { health: "Unknown" });
    const id = await lab.submit();
    await lab.sync(worker);
    expect((await lab.job(id)).device).toBe("dut");
  });

  test("to a dictionary that extends more than one template, or one that it computes", async () => {
    await putCheck();
    await addBoard({ dictionary: "{% set t = 'qemu.jinja2' %}\n{% extends t %}\n" });
    const id = await lab.submit();
    await lab.sync(worker);
    expect((await lab.job(id)).device).toBe("dut");
  });

  test.each(["Bad", "Maintenance", "Retired"] as const)("to a device in %s", async (health) => {
    await putCheck();
    await addBoard();
    await setHealth(health);
    await lab.sync(worker);
    await sweep();
    expect(await checks()).toEqual([]);
  });

  test("while its worker is at its limit or not schedulable", async () => {
    await putCheck();
    await lab.addDevice("other");
    await addBoard();
    await lab.api("/workers/bench", { method: "PUT", body: { job_limit: 1 } });
    const id = await lab.submit(aJob({ lines: ["device: other"] }));
    const { start } = await lab.sync(worker);
    const both = [(await lab.job(id)).state === "Scheduled", (await checks()).length === 1];
    expect(both.filter(Boolean)).toHaveLength(1);
    expect(start.length).toBeLessThanOrEqual(1);
  });
});

describe("which job it is", () => {
  test("that of the template which the dictionary extends, not of the device type", async () => {
    await putCheck("qemu", aJob({ name: "of the template" }));
    await putCheck("board", aJob({ name: "of the type" }));
    await addBoard({ device_type: "board" });
    await lab.sync(worker);
    const [check] = await checks();
    expect(check).toMatchObject({ description: "of the template", device_type: "board" });
  });

  test("the definition as it is in the lab, byte for byte", async () => {
    const text = aJob({ name: "check", lines: ["# kept", "tags: [none]"] });
    await putCheck("qemu", text);
    await addBoard();
    await lab.sync(worker);
    const [check] = await checks();
    const definition = await lab.request(`/jobs/${check!.id}/definition`);
    expect(await definition.text()).toBe(text);
    expect((await lab.sync(worker)).start[0]).toMatchObject({ definition: text });
  });

  test("Pumice's own where somebody asks for one, and the lab has none", async () => {
    await addBoard();
    await lab.sync(worker);
    expect(await checks()).toEqual([]);
    await lab.api("/devices/dut/health-check", { body: { reason: "new cable" } });
    await lab.settled();
    expect(await checks()).toMatchObject([{ description: "health check of qemu" }]);
  });

  test("Pumice's own by itself only where the device type says so", async () => {
    await setType({ health_check: "stock" });
    await addBoard();
    await lab.sync(worker);
    expect(await checks()).toMatchObject([{ description: "health check of qemu" }]);
  });

  test("an invalid one makes the device Bad", async () => {
    const { writeText } = await import("../../control-plane/domain/texts.ts");
    const text = "job_name: nothing\n";
    await writeText(lab.deps, { kind: "health-check", name: "qemu", text, user: "old" });
    await addBoard();
    await lab.sync(worker);
    expect(await device()).toMatchObject({ health: "Bad", state: "Idle" });
    expect(lab.messages.join()).toContain("invalid health check");
    expect(await checks()).toEqual([]);
  });

  test("is not tried again on another device when the lab is at fault, even if it says so", async () => {
    await putCheck("qemu", aJob({ name: "check", lines: ["retry_on: infrastructure"] }));
    await addBoard();
    await lab.sync(worker);
    await runAll({ result: "fail", error_type: "Infrastructure" }, 1);
    expect(await checks()).toMatchObject([{ state: "Finished", health: "Incomplete" }]);
    expect((await device()).health).toBe("Bad");
  });
});

describe("its result is the device's health", () => {
  const ends = {
    Complete: { result: "pass" },
    Incomplete: { result: "fail", error_type: "Job" },
  } as const;
  test.each([
    ["Good", "Complete", "Good"],
    ["Good", "Incomplete", "Bad"],
    ["Unknown", "Complete", "Good"],
    ["Unknown", "Incomplete", "Bad"],
    ["Bad", "Complete", "Good"],
    ["Bad", "Incomplete", "Bad"],
    ["Looping", "Complete", "Looping"],
    ["Looping", "Incomplete", "Looping"],
    ["Maintenance", "Complete", "Maintenance"],
    ["Maintenance", "Incomplete", "Maintenance"],
  ] as const)("%s, %s: %s", async (before, end, after) => {
    await putCheck();
    await addBoard();
    await lab.sync(worker);
    const { start } = await lab.sync(worker);
    await setHealth(before);
    const [ticket] = start;
    await lab.finish(ticket!.job_id, ticket!.token, { lines: 0, ...ends[end] });
    expect((await device()).health).toBe(after);
    expect((await device()).last_health_report_job).toBe(ticket!.job_id);
  });

  test("Canceled: Bad", async () => {
    await putCheck();
    await addBoard();
    await lab.sync(worker);
    const [ticket] = (await lab.sync(worker)).start;
    await lab.api(`/jobs/${ticket!.job_id}/cancel`, { method: "POST" });
    await lab.finish(ticket!.job_id, ticket!.token, { result: "fail", lines: 0 });
    expect((await device()).health).toBe("Bad");
  });

  test("Retired stays Retired", async () => {
    await putCheck();
    await addBoard();
    await lab.sync(worker);
    const [ticket] = (await lab.sync(worker)).start;
    await setHealth("Retired");
    await lab.finish(ticket!.job_id, ticket!.token, { result: "pass", lines: 0 });
    expect((await device()).health).toBe("Retired");
  });

  test("a Bad device gets no further one until somebody acts", async () => {
    await putCheck();
    await addBoard();
    await lab.sync(worker);
    await runAll({ result: "fail", error_type: "Infrastructure" });
    lab.pass(48 * HOUR);
    await sweep();
    await lab.sync(worker);
    expect(await checks()).toHaveLength(1);
    await setHealth("Unknown");
    expect(await checks()).toHaveLength(2);
  });

  test("one that its silent worker did not bring to an end says nothing: it is made again", async () => {
    await putCheck();
    await addBoard();
    await lab.sync(worker);
    const [ticket] = (await lab.sync(worker)).start;
    await lab.sync(worker, [{ job_id: ticket!.job_id, state: "running" }]);
    for (let n = 0; n < 3; n++) {
      lab.pass(HOUR);
      await sweep();
    }
    expect(await checks()).toMatchObject([{ state: "Finished", health: "Incomplete" }]);
    await lab.sync(worker);
    expect(await device()).toMatchObject({ health: "Unknown" });
    expect(await checks()).toHaveLength(2);
  });
});

describe("a job that is no health check", () => {
  test.each(["Infrastructure", "Configuration", "Bug"] as const)(
    "that ends as the lab's fault (%s) makes a Good device Unknown, and its check follows",
    async (error_type) => {
      await addBoard();
      const id = await lab.submit();
      await putCheck();
      await lab.sync(worker);
      const [check] = await runAll({ result: "pass" }, 1);
      const [ticket] = (await lab.sync(worker)).start;
      expect([check === id, ticket!.job_id]).toEqual([false, id]);
      await lab.finish(id, ticket!.token, { result: "fail", lines: 0, error_type });
      expect(await device()).toMatchObject({ health: "Unknown", state: "Reserved" });
      expect(await checks()).toHaveLength(2);
    },
  );

  test.each(["Job", "Test", "Canceled"] as const)(
    "that ends otherwise (%s) leaves the health as it is",
    async (error_type) => {
      await lab.addDevice("dut");
      await lab.submit();
      await lab.sync(worker);
      await runAll({ result: "fail", error_type });
      expect((await device()).health).toBe("Good");
    },
  );

  test.each(["Maintenance", "Bad", "Looping", "Retired"] as const)(
    "leaves %s, which a person has set, whatever its end",
    async (health) => {
      await lab.addDevice("dut");
      await lab.submit();
      await lab.sync(worker);
      const [ticket] = (await lab.sync(worker)).start;
      await setHealth(health);
      const request = { result: "fail", lines: 0, error_type: "Infrastructure" } as const;
      await lab.finish(ticket!.job_id, ticket!.token, request);
      expect((await device()).health).toBe(health);
    },
  );
});

describe("Looping", () => {
  test("is one health check after the other, and no job, until it is set otherwise", async () => {
    await putCheck();
    await addBoard();
    await setHealth("Looping");
    const id = await lab.submit();
    await lab.sync(worker);
    expect(await runAll({ result: "fail", error_type: "Test" }, 5)).toHaveLength(5);
    expect(await checks()).toHaveLength(6);
    expect((await lab.job(id)).state).toBe("Submitted");
    await setHealth("Good");
    await runAll({ result: "pass" }, 1);
    expect((await lab.job(id)).state).toBe("Scheduled");
  });
});

describe("a check that somebody asks for", () => {
  const ask = (hostname = "dut") =>
    lab.request(`/devices/${hostname}/health-check`, { body: { reason: "new cable" } });

  test("makes the device Unknown, and comes before any job", async () => {
    await putCheck();
    await addBoard();
    await lab.sync(worker);
    await runAll();
    expect(await (await ask()).json()).toMatchObject({ health: "Unknown" });
    await lab.submit();
    expect(await checks()).toHaveLength(2);
    expect(await device()).toMatchObject({ state: "Reserved", health: "Unknown" });
  });

  test("waits for the job that has the device", async () => {
    await lab.addDevice("dut", { dictionary, configuration: undefined });
    const [first, second] = [await lab.submit(), await lab.submit()];
    await lab.sync(worker);
    expect((await ask()).status).toBe(200);
    expect(await checks()).toEqual([]);
    await runAll({ result: "pass" }, 1);
    expect((await lab.job(first)).state).toBe("Finished");
    expect((await lab.job(second)).state).toBe("Submitted");
    expect(await checks()).toHaveLength(1);
  });

  test("is refused with what to do where there is none", async () => {
    await lab.addDevice("plain");
    const refused = await ask("plain");
    expect(refused.status).toBe(409);
    expect(await refused.text()).toContain("give it a dictionary");
    await addBoard();
    await setHealth("Retired");
    expect((await ask()).status).toBe(409);
    await setHealth("Good");
    await setType({ health_disabled: true });
    expect(await (await ask()).text()).toContain("switched off");
  });
});

test("a device type that comes with its first device has the lab's frequency", async () => {
  const settings = { scheduling: { health_frequency_hours: 6 } };
  await lab.api("/settings", { method: "PUT", body: { settings } });
  await addBoard({ device_type: "board" });
  expect(await lab.api("/device-types/board")).toMatchObject({ health_frequency: 6 });
});
