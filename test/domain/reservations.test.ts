import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeviceView, JobView, Problem, SubmitResponse } from "#protocol/api.ts";
import type { ReservationList, ReservationView } from "#protocol/reservations.ts";
import { activeReservation } from "../../control-plane/domain/reservations.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let bench: string;
let alice: string;
let bob: string;
beforeEach(async () => {
  lab = await embeddedLab();
  bench = await lab.addWorker();
  await lab.addDevice("qemu-01");
  alice = (await lab.addUser("alice")).token;
  bob = (await lab.addUser("bob")).token;
});
afterEach(() => lab.close());

const HOUR = 3600;
const ask = (token: string, body: object) => lab.request("/reservations", { token, body });
const reserve = (token: string, body: object = { device: "qemu-01", seconds: HOUR }) =>
  lab.api<ReservationView>("/reservations", { token, body });
const list = async () => (await lab.api<ReservationList>("/reservations")).reservations;
const extend = (token: string, id: string, seconds: number) =>
  lab.request(`/reservations/${id}/extend`, { token, body: { seconds } });
const end = (token: string, id: string) =>
  lab.request(`/reservations/${id}`, { token, method: "DELETE" });
async function submit(token: string): Promise<number> {
  const { job_ids } = await lab.api<SubmitResponse>("/jobs", { token, body: aJob() });
  await lab.settled();
  return job_ids[0]!;
}
async function finish(id: number): Promise<void> {
  const { start } = await lab.sync(bench);
  const token = start.find(({ job_id }) => job_id === id)!.token;
  await lab.finish(id, token, { result: "pass", lines: 0 });
}
const settings = (reservations: object) =>
  lab.api("/settings", { method: "PUT", body: { settings: { reservations } } });
async function sweep(): Promise<void> {
  await tick(lab.deps);
  await lab.settled();
}

test("an idle device is its holder's at once: others' jobs wait and say why, the holder's run", async () => {
  await lab.sync(bench);
  const made = await reserve(alice, { device: "qemu-01", seconds: HOUR, reason: "a hunt" });
  expect(made).toMatchObject({ state: "active", holder: "alice", reason: "a hunt" });
  expect(made.until).toBe("2026-03-01T13:00:00.000Z");
  const others = await submit(bob);
  expect(await lab.job(others)).toMatchObject({
    state: "Submitted",
    waits_for: "of 1 fitting device: 1 reserved by alice until 2026-03-01T13:00:00.000Z",
  });
  const own = await submit(alice);
  expect((await lab.job(own)).device).toBe("qemu-01");
  await finish(own);
  expect((await lab.job(others)).state).toBe("Submitted");
  expect(await lab.api<DeviceView>("/devices/qemu-01")).toMatchObject({
    reservation: { id: made.id, holder: "alice", until: made.until },
  });
});

test("a reservation of a busy device waits for the job's end and counts its time from there", async () => {
  await lab.sync(bench);
  const running = await submit(bob);
  const made = await reserve(alice);
  expect([made.state, made.until]).toEqual(["waiting", undefined]);
  expect(await activeReservation(lab.deps, "qemu-01")).toBeUndefined();
  const next = await submit(bob);
  lab.pass(600);
  await finish(running);
  expect((await lab.job(next)).state).toBe("Submitted");
  expect(await activeReservation(lab.deps, "qemu-01")).toMatchObject({
    state: "active",
    from: "2026-03-01T12:10:00.000Z",
    until: "2026-03-01T13:10:00.000Z",
  });
});

test("a device that the holder's own job has is theirs at once", async () => {
  await lab.sync(bench);
  await submit(alice);
  expect((await reserve(alice)).state).toBe("active");
});

test("its end by time gives the device to whoever waits, also before the tick has noted it", async () => {
  await lab.sync(bench);
  await reserve(alice);
  const waiting = await submit(bob);
  lab.pass(HOUR);
  await lab.sync(bench);
  expect(await activeReservation(lab.deps, "qemu-01")).toBeUndefined();
  await sweep();
  expect((await lab.job(waiting)).state).toBe("Scheduled");
  expect(await list()).toEqual([]);
  expect((await lab.api<DeviceView>("/devices/qemu-01")).reservation).toBeUndefined();
});

test("one whose time is over counts for nothing, also before the tick has noted it", async () => {
  await settings({ longest_hours: 2, at_once: 1 });
  await lab.addDevice("qemu-02");
  const made = await reserve(alice);
  lab.pass(HOUR);
  expect(await list()).toEqual([]);
  expect((await lab.api<DeviceView>("/devices/qemu-01")).reservation).toBeUndefined();
  expect((await extend(alice, made.id, 60)).status).toBe(404);
  expect((await end(alice, made.id)).status).toBe(404);
  expect((await reserve(alice, { device: "qemu-02", seconds: HOUR })).state).toBe("active");
});

test("its holder ends it before its time; an administrator any; nobody else", async () => {
  await lab.sync(bench);
  const first = await reserve(alice);
  const waiting = await submit(bob);
  expect((await end(bob, first.id)).status).toBe(403);
  expect((await end(alice, "qemu-01")).status).toBe(204);
  await lab.settled();
  expect((await lab.job(waiting)).device).toBe("qemu-01");
  expect((await end(alice, first.id)).status).toBe(404);
  const second = await reserve(alice);
  expect((await end(lab.adminToken, second.id)).status).toBe(204);
  expect(await list()).toEqual([]);
});

test("a device is reserved by one person at a time", async () => {
  await reserve(alice);
  const refused = await ask(bob, { device: "qemu-01", seconds: HOUR });
  expect(refused.status).toBe(409);
  expect(((await refused.json()) as Problem).message).toBe(
    "device qemu-01 is reserved by alice until 2026-03-01T13:00:00.000Z",
  );
  lab.pass(HOUR);
  expect((await reserve(bob)).holder).toBe("bob");
  expect((await list()).map(({ holder }) => holder)).toEqual(["bob"]);
});

test("of two who reserve at the same moment one is refused", async () => {
  const answers = await Promise.all(
    [alice, bob].map((who) => ask(who, { device: "qemu-01", seconds: HOUR })),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 409]));
  expect(await list()).toHaveLength(1);
});

test("by type: an idle device with the tags that nobody has reserved, else one that is busy", async () => {
  await lab.addDevice("qemu-02", { tags: ["kvm"] });
  await lab.addDevice("qemu-03", { tags: ["kvm"] });
  await lab.sync(bench);
  const any = { device_type: "qemu", tags: ["kvm"], seconds: HOUR };
  expect((await reserve(alice, any)).device).toBe("qemu-02");
  await submit(bob);
  await submit(bob);
  expect(await reserve(bob, any)).toMatchObject({ device: "qemu-03", state: "active" });
  const none = await ask(lab.adminToken, any);
  expect([none.status, ((await none.json()) as Problem).message]).toEqual([
    409,
    expect.stringContaining("no device of type qemu with tags kvm can be reserved now"),
  ]);
});

test("the lab says how long one may be and how many a person may have; not to administrators", async () => {
  await settings({ longest_hours: 2, at_once: 1 });
  await lab.addDevice("qemu-02");
  expect((await ask(alice, { device: "qemu-01", seconds: 2 * HOUR + 1 })).status).toBe(409);
  const made = await reserve(alice, { device: "qemu-01", seconds: 2 * HOUR });
  const second = await ask(alice, { device: "qemu-02", seconds: HOUR });
  expect(((await second.json()) as Problem).message).toBe(
    "alice has 1 reservations; the lab allows 1 at a time: end one first",
  );
  expect((await extend(alice, made.id, 60)).status).toBe(409);
  expect((await extend(lab.adminToken, made.id, 60)).status).toBe(200);
  await end(alice, made.id);
  expect((await reserve(alice, { device: "qemu-02", seconds: HOUR })).state).toBe("active");
  expect((await reserve(lab.adminToken, { device: "qemu-01", seconds: 99 * HOUR })).state).toBe(
    "active",
  );
});

test("an extension moves the end, of one that waits as well", async () => {
  await lab.sync(bench);
  const running = await submit(bob);
  const made = await reserve(alice);
  await extend(alice, "qemu-01", HOUR);
  await finish(running);
  expect((await list())[0]).toMatchObject({ id: made.id, until: "2026-03-01T14:00:00.000Z" });
  expect((await extend(bob, made.id, 60)).status).toBe(403);
  await extend(alice, made.id, HOUR);
  lab.pass(2 * HOUR);
  await sweep();
  expect(await activeReservation(lab.deps, "qemu-01")).toMatchObject({
    until: "2026-03-01T15:00:00.000Z",
  });
});

test("who may not submit to a device may not reserve it, and one that may not be seen is not there", async () => {
  await lab.api("/devices/qemu-01/health", { body: { health: "Retired" } });
  const retired = await ask(alice, { device: "qemu-01", seconds: HOUR });
  expect([retired.status, ((await retired.json()) as Problem).message]).toEqual([
    403,
    "device qemu-01 is Retired",
  ]);
  expect((await ask(alice, { device: "qemu-99", seconds: HOUR })).status).toBe(404);
});

test("each step of a reservation is written down with who made it", async () => {
  const { id } = await reserve(alice, { device: "qemu-01", seconds: HOUR, reason: "a hunt" });
  lab.pass(HOUR);
  await sweep();
  const { items } = await lab.deps.table.query("main", `changes#reservation#${id}`);
  expect(items.map(({ data }) => data)).toMatchObject([
    { who: "alice", reason: "a hunt", changed: { state: [null, "active"] } },
    { who: "lava-health", changed: { state: ["active", "ended"] } },
  ]);
});

test("one that waits for a device whose job has gone unnoticed begins with the tick", async () => {
  await lab.sync(bench);
  const running = await submit(bob);
  const { id } = await reserve(alice);
  const { table } = lab.deps;
  const device = (await table.get<{ state: string }>({
    partition: "device#qemu-01",
    sort: "device",
  }))!;
  const { current_job: _job, ...idle } = device.data as Record<string, unknown>;
  await table.transact([{ put: { key: device.key, data: { ...idle, state: "Idle" } } }]);
  await sweep();
  expect(await activeReservation(lab.deps, "qemu-01")).toMatchObject({ id, state: "active" });
  expect((await lab.api<JobView>(`/jobs/${running}`)).id).toBe(running);
});

test("a pass for a reserved device reads its holder's jobs only, however many others wait", async () => {
  await lab.sync(bench);
  await reserve(alice);
  for (let n = 0; n < 20; n++) await submit(bob);
  const { table } = lab.deps;
  let read = 0;
  const deps = {
    ...lab.deps,
    table: {
      get: table.get.bind(table),
      transact: table.transact.bind(table),
      query: async <T>(...args: Parameters<typeof table.query>) => {
        const page = await table.query<T>(...args);
        if (args[1].includes("queue#")) read += page.items.length;
        return page;
      },
    },
  } as unknown as typeof lab.deps;
  await schedulePass(deps, "qemu");
  expect(read).toBeLessThan(5);
  expect((await lab.job(await submit(alice))).state).toBe("Scheduled");
});
