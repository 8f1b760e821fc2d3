import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DeviceView, JobView } from "#protocol/api.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";
import { isOnAws } from "../support/test-engine.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

describe("the queue", () => {
  test("is served by priority, then by age", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    const ids: number[] = [];
    for (const priority of ["low", "medium", "high", "60", "high"]) {
      ids.push(await lab.submit(aJob({ lines: [`priority: ${priority}`] })));
    }
    await lab.sync(worker);
    const order: number[] = [];
    for (const _ of ids) {
      const { start } = await lab.sync(worker);
      const [ticket] = start;
      order.push(ticket!.job_id);
      await lab.finish(ticket!.job_id, ticket!.token, { result: "pass", lines: 0 });
    }
    expect(order).toEqual([ids[2], ids[4], ids[3], ids[1], ids[0]]);
  });

  test("gives a job only a device that has its tags, and keeps tagged devices for whom they suit", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01", { tags: ["kvm", "usb"] });
    await lab.addDevice("qemu-02");
    const plain = await lab.submit(aJob({ lines: ["priority: high"] }));
    const tagged = await lab.submit(aJob({ lines: ["tags: [usb]"] }));
    const waiting = await lab.submit(aJob({ lines: ["tags: [usb, kvm]"] }));
    await lab.sync(worker);
    expect((await lab.job(plain)).device).toBe("qemu-02");
    expect((await lab.job(tagged)).device).toBe("qemu-01");
    expect(await lab.job(waiting)).toMatchObject({
      state: "Submitted",
      waits_for: "of 1 fitting device: 1 busy",
    });
  });

  test("heeds a device and a worker that the job names", async () => {
    const [a, b] = [await lab.addWorker("a"), await lab.addWorker("b")];
    await lab.addDevice("qemu-01", { worker: "a" });
    await lab.addDevice("qemu-02", { worker: "b" });
    const onB = await lab.submit(aJob({ lines: ["worker: b"] }));
    const alsoB = await lab.submit(aJob({ lines: ["device: qemu-02"] }));
    const onA = await lab.submit(aJob({ lines: ["device: qemu-01"] }));
    await lab.sync(a);
    await lab.sync(b);
    expect((await lab.job(onB)).device).toBe("qemu-02");
    expect((await lab.job(onA)).device).toBe("qemu-01");
    expect((await lab.job(alsoB)).state).toBe("Submitted");
  });

  test("waits for a worker to come online, and for a device to become healthy", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01", { health: "Maintenance" });
    const id = await lab.submit();
    expect((await lab.job(id)).waits_for).toBe("of 1 fitting device: 1 in health Maintenance");
    await lab.api("/devices/qemu-01/health", { body: { health: "Good" } });
    await lab.settled();
    expect((await lab.job(id)).waits_for).toBe(
      "of 1 fitting device: 1 on worker bench, which is Offline",
    );
    await lab.sync(worker);
    expect((await lab.job(id)).state).toBe("Scheduled");
  });

  test.each(["Bad", "Maintenance", "Looping"] as const)(
    "a device in %s gets no jobs",
    async (health) => {
      const worker = await lab.addWorker();
      await lab.addDevice("qemu-01", { health });
      const id = await lab.submit();
      await lab.sync(worker);
      expect((await lab.job(id)).state).toBe("Submitted");
    },
  );

  test("two devices run two jobs at the same time, within the worker's limit", async () => {
    const worker = await lab.addWorker("bench", 2);
    for (const n of [1, 2, 3]) await lab.addDevice(`qemu-0${n}`);
    for (const _ of [1, 2, 3]) await lab.submit();
    await lab.sync(worker);
    const { start } = await lab.sync(worker);
    expect(start.map(({ job_id }) => job_id)).toEqual([1, 2]);
    await lab.finish(1, start[0]!.token, { result: "pass", lines: 0 });
    expect((await lab.sync(worker)).start.map(({ job_id }) => job_id)).toEqual([2, 3]);
  });

  test("retiring a device cancels its job", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    const id = await lab.submit();
    await lab.sync(worker);
    await lab.api("/devices/qemu-01/health", { body: { health: "Retired", reason: "broken" } });
    expect((await lab.job(id)).state).toBe("Canceling");
    expect(lab.messages.join()).toContain('"reason":"broken"');
  });
});

describe("whatever happens", () => {
  const event = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("submit" as const), priority: fc.nat(3) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("sync" as const), worker: fc.nat(1) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("finish" as const), nth: fc.nat(5) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), nth: fc.nat(9) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("passes" as const),
        n: fc.integer({ min: 2, max: 6 }),
      }),
    },
  );

  test("no device has two jobs, no job two devices, and nobody overtakes", async () => {
    const property = fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
      const world = await embeddedLab();
      try {
        await play(world, events);
      } finally {
        await world.close();
      }
    });
    await expect(fc.assert(property, { numRuns: isOnAws ? 5 : 20 })).resolves.toBeUndefined();
  });

  async function play(
    world: EmbeddedLab,
    events: (typeof event extends fc.Arbitrary<infer E> ? E : never)[],
  ): Promise<void> {
    const workers = [await world.addWorker("w0"), await world.addWorker("w1", 1)];
    for (const n of [0, 1, 2]) await world.addDevice(`d${n}`, { worker: n === 0 ? "w0" : "w1" });
    const tokens = new Map<number, string>();
    let waited: JobView[] = [];
    for (const step of events) {
      if (step.do === "submit") await world.submit(aJob({ lines: [`priority: ${step.priority}`] }));
      if (step.do === "sync") {
        const answer = await world.sync(workers[step.worker]!);
        for (const { job_id, token } of answer.start) tokens.set(job_id, token);
      }
      if (step.do === "finish") {
        const [id, token] = [...tokens][step.nth] ?? [];
        if (id && token) await world.finish(id, token, { result: "pass", lines: 0 });
      }
      if (step.do === "cancel") {
        await world.request(`/jobs/${step.nth + 1}/cancel`, { method: "POST" });
        await world.settled();
      }
      if (step.do === "passes") {
        await Promise.all(Array.from({ length: step.n }, () => schedulePass(world.deps, "qemu")));
      }
      const jobs = await check(world);
      requireOrder(waited, jobs);
      waited = jobs.filter(({ state }) => state === "Submitted");
    }
  }

  /** Nobody who waited before a step still waits after it while somebody less urgent got a device. */
  function requireOrder(waited: JobView[], jobs: JobView[]): void {
    const stateOf = (id: number) => jobs.find((job) => job.id === id)?.state;
    const served = waited.filter(({ id }) => stateOf(id) === "Scheduled");
    const passedOver = waited.filter(({ id }) => stateOf(id) === "Submitted");
    for (const job of served) {
      const overtaken = passedOver.filter(
        (other) =>
          other.priority > job.priority || (other.priority === job.priority && other.id < job.id),
      );
      expect(overtaken).toEqual([]);
    }
  }

  async function check(world: EmbeddedLab): Promise<JobView[]> {
    const { devices } = await world.api<{ devices: DeviceView[] }>("/devices");
    const { jobs } = await world.api<{ jobs: JobView[] }>("/jobs?limit=200");
    const holding = jobs.filter(({ state }) => state === "Scheduled" || state === "Canceling");
    const claims = holding.map(({ device }) => device);
    expect(new Set(claims).size).toBe(claims.length);
    for (const device of devices) {
      const owner = holding.find((job) => job.device === device.hostname);
      expect([device.hostname, device.current_job]).toEqual([device.hostname, owner?.id]);
      expect(device.state).toBe(owner ? "Reserved" : "Idle");
    }
    expect(holding.filter(({ worker }) => worker === "w1").length).toBeLessThanOrEqual(1);
    const waiting = jobs.filter(({ state }) => state === "Submitted");
    const free = devices.filter(({ state, worker }) => state === "Idle" && worker === "w0");
    const { workers } = await world.api<{ workers: { name: string; state: string }[] }>("/workers");
    if (workers[0]!.state === "Online" && free.length > 0) expect(waiting).toEqual([]);
    return jobs;
  }
});

test("many passes at the same time book nothing twice", async () => {
  const worker = await lab.addWorker();
  await lab.sync(worker);
  for (const n of [1, 2, 3, 4]) await lab.addDevice(`qemu-0${n}`, { health: "Maintenance" });
  for (let n = 0; n < 12; n++) await lab.submit(aJob({ name: `job ${n}` }));
  for (const n of [1, 2, 3, 4]) {
    await lab.api(`/devices/qemu-0${n}/health`, { body: { health: "Good" } });
  }
  await Promise.all(Array.from({ length: 16 }, () => schedulePass(lab.deps, "qemu")));
  await lab.settled();
  const { start } = await lab.sync(worker);
  expect(start.map(({ job_id }) => job_id)).toEqual([1, 2, 3, 4]);
  expect(new Set(start.map(({ device_hostname }) => device_hostname)).size).toBe(4);
});

test("a worker at its limit takes a job of any type as soon as one of its jobs ends", async () => {
  const worker = await lab.addWorker("bench", 1);
  await lab.addDevice("qemu-01");
  await lab.addDevice("board-1", { device_type: "board" });
  await lab.sync(worker);
  const first = await lab.submit();
  const second = await lab.submit(aJob({ deviceType: "board" }));
  const { start } = await lab.sync(worker);
  expect((await lab.job(second)).waits_for).toBe(
    "of 1 fitting device: 1 on worker bench, which is at its job limit",
  );
  await lab.finish(first, start[0]!.token, { result: "pass", lines: 0 });
  expect((await lab.job(second)).state).toBe("Scheduled");
});

test("a pass that was asked for and lost is made up for by the next sweep", async () => {
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  const lost = vi.spyOn(lab.deps.signals, "requestPass").mockResolvedValue();
  const id = await lab.submit();
  expect((await lab.job(id)).state).toBe("Submitted");
  lost.mockRestore();
  await tick(lab.deps);
  await lab.settled();
  expect((await lab.job(id)).state).toBe("Scheduled");
});

test("a pass that was lost with the end of a job is asked for when its worker says once more that it has ended", async () => {
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  const first = await lab.submit();
  const second = await lab.submit();
  const { start } = await lab.sync(worker);
  const lost = vi.spyOn(lab.deps.signals, "requestPass").mockResolvedValue();
  const finish = () => lab.finish(first, start[0]!.token, { result: "pass", lines: 0 });
  await finish();
  lost.mockRestore();
  expect((await lab.job(second)).state).toBe("Submitted");
  await finish();
  expect((await lab.job(second)).state).toBe("Scheduled");
});

test("a pass reads no more of a long queue than it has devices for", async () => {
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01", { health: "Maintenance" });
  for (let n = 0; n < 60; n++) await lab.submit();
  await lab.sync(worker);
  const query = vi.spyOn(lab.deps.table, "query");
  await lab.api("/devices/qemu-01/health", { body: { health: "Good" } });
  await lab.settled();
  expect((await lab.job(1)).state).toBe("Scheduled");
  const pages = query.mock.calls.filter(([, partition]) => partition === "queue#qemu");
  expect(pages).toHaveLength(1);
  expect(pages[0]![2]!.limit).toBeLessThan(50);
});
