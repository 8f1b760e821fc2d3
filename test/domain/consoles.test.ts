import { afterEach, beforeEach, expect, test } from "vitest";
import {
  MAX_CONSOLE_BYTES,
  MAX_CONSOLES_OF_WORKER,
  MAX_PIECE_BYTES,
  type ConsoleView,
  type OpenedConsole,
} from "#protocol/consoles.ts";
import { shownAs } from "../../control-plane/domain/console-ends.ts";
import type { ConsoleRecord } from "../../control-plane/domain/console-record.ts";
import {
  consoleKey,
  consolesOfWorkerKey,
  consoleOutputKey,
} from "../../control-plane/domain/keys.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
});
afterEach(() => lab.close());

const reserve = (seconds = 3600) =>
  lab.api<{ id: string; until: string }>("/reservations", { body: { device: "qemu-01", seconds } });
const open = (body: object = { device: "qemu-01" }) =>
  lab.api<OpenedConsole>("/consoles", { body });
const say = (id: string, from: number, data: string) =>
  lab.request(`/worker/consoles/${id}/output`, { token: worker, body: { from, data } });
const type = ({ id, writer }: OpenedConsole, data: string) =>
  lab.request(`/consoles/${id}/input`, { body: { writer, call: data.slice(0, 9), data } });
const base64 = (bytes: number): string => Buffer.alloc(bytes, "x").toString("base64");

test("a reservation that is made longer makes its session longer", async () => {
  const { until } = await reserve(600);
  const session = await open();
  expect(session.until).toBe(until);
  await say(session.id, 0, "");
  lab.pass(590);
  await lab.request("/reservations/qemu-01/extend", { body: { seconds: 600 } });
  lab.pass(5);
  await type(session, base64(1));
  lab.pass(300);
  const longer = await lab.api<ConsoleView>(`/consoles/${session.id}`);
  expect(longer.state).toBe("open");
  expect(Date.parse(longer.until) - Date.parse(until)).toBe(600_000);
  lab.pass(400);
  expect(await lab.api(`/consoles/${session.id}`)).toMatchObject({
    state: "ended",
    reason: "the reservation of admin is over",
  });
});

test("a session says when it ends unless somebody types; typing moves it", async () => {
  await reserve();
  const session = await open();
  expect(Date.parse(session.idle_ends ?? "") - Date.parse(session.created)).toBe(600_000);
  await say(session.id, 0, "");
  lab.pass(60);
  await type(session, base64(1));
  const later = await lab.api<ConsoleView>(`/consoles/${session.id}`);
  expect(Date.parse(later.idle_ends ?? "") - Date.parse(session.created)).toBe(660_000);
});

test("a piece has a bound, in both directions", async () => {
  await reserve();
  const session = await open();
  expect((await say(session.id, 0, base64(MAX_PIECE_BYTES))).status).toBe(200);
  expect((await say(session.id, MAX_PIECE_BYTES, base64(MAX_PIECE_BYTES + 3))).status).toBe(400);
  expect((await type(session, base64(MAX_PIECE_BYTES))).status).toBe(204);
  expect((await type(session, base64(MAX_PIECE_BYTES + 3))).status).toBe(400);
  expect((await type(session, "no base64!")).status).toBe(400);
});

test("a session ends when its device has said 32 MB", async () => {
  await reserve();
  const { id } = await open();
  await say(id, 0, "");
  const from = MAX_CONSOLE_BYTES - 2;
  const data = { from, bytes: 1, time: new Date().toISOString(), data: base64(1) };
  await lab.deps.table.transact([
    { put: { key: consoleOutputKey(id, from), data }, when: "absent" },
  ]);
  expect(await (await say(id, from + 1, base64(1))).json()).toMatchObject({
    ended: "the device has said more than 32 MB",
  });
  expect(await lab.api(`/consoles/${id}`)).toMatchObject({ state: "ended" });
});

test("a worker serves so many consoles and no more", async () => {
  await reserve();
  const ids = Array.from({ length: MAX_CONSOLES_OF_WORKER }, (_, n) => `other-${n}`);
  const list = { key: consolesOfWorkerKey("bench"), data: { ids } };
  await lab.deps.table.transact([{ put: list, when: "absent" }]);
  const refused = await lab.request("/consoles", { body: { device: "qemu-01" } });
  expect(refused.status).toBe(409);
  expect(await refused.text()).toContain("serves 50 consoles, as many as it may");
});

test("a console is opened of a device or of a job, and only a device's can be switched off at its end", async () => {
  for (const body of [{}, { device: "qemu-01", job: 1 }, { job: 1, off_at_end: true }]) {
    expect((await lab.request("/consoles", { body })).status).toBe(400);
  }
  expect((await lab.request("/consoles", { body: { job: 99 } })).status).toBe(404);
});

test("a job's console is open while its runner says that it waits, and not before or afterwards", async () => {
  const id = await lab.submit();
  await lab.settled();
  await lab.sync(worker);
  const running = { job_id: id, state: "running" as const };
  await lab.sync(worker, [running]);
  const refused = await lab.request("/consoles", { body: { job: id } });
  expect(refused.status).toBe(409);
  expect(await refused.text()).toContain(`job ${id} waits for nobody now`);
  await lab.sync(worker, [{ ...running, waits_for_person: true }]);
  expect(await lab.job(id)).toMatchObject({ waits_for_person: true });
  const session = await open({ job: id });
  expect((await lab.sync(worker, [{ ...running, waits_for_person: true }])).consoles).toMatchObject(
    [{ id: session.id, job_id: id, holder: "admin" }],
  );
  await say(session.id, 0, "");
  // Not one of a device that is reserved, for anybody else.
  const { token } = await lab.addUser("bob");
  const body = { device: "qemu-01" };
  expect((await lab.request("/consoles", { body, token })).status).toBe(409);
  await lab.sync(worker, [running]);
  expect(await lab.job(id)).not.toHaveProperty("waits_for_person");
  expect((await lab.request("/consoles", { body: { job: id } })).status).toBe(409);
  await lab.request(`/jobs/${id}/cancel`, { method: "POST" });
  expect(await lab.api(`/consoles/${session.id}`)).toMatchObject({
    state: "ended",
    reason: `job ${id} is Canceling`,
  });
});

test("only a session in a job's pause lets a job go on", async () => {
  await reserve();
  const { id } = await open();
  await say(id, 0, "");
  const refused = await lab.request(`/consoles/${id}/continue`, { method: "POST" });
  expect(refused.status).toBe(409);
  expect(await refused.text()).toContain("no job waits at this console");
});

test("somebody else's session in a job's pause is not taken over: it says whose it is", async () => {
  const id = await lab.submit();
  await lab.settled();
  const waiting = [{ job_id: id, state: "running" as const, waits_for_person: true as const }];
  for (const runners of [[], waiting, waiting]) await lab.sync(worker, runners);
  await open({ job: id });
  const { token } = await lab.addUser("eve", true);
  const refused = await lab.request("/consoles", { body: { job: id }, token });
  expect(refused.status).toBe(409);
  expect(await refused.text()).toContain("admin has the console of qemu-01");
});

test("an archive shows what has become of a session, and writes nothing of it", async () => {
  await reserve(600);
  const { id } = await open();
  const before = await lab.deps.table.get(consoleKey(id));
  const archive = await embeddedLab({ archive: true });
  try {
    await archive.deps.table.transact([
      { put: { key: consoleKey(id), data: before?.data ?? {} }, when: "absent" },
    ]);
    const item = await archive.deps.table.get<ConsoleRecord>(consoleKey(id));
    if (!item) throw new Error("it was just written");
    expect(await shownAs(archive.deps, item)).toMatchObject({
      state: "ended",
      reason: "the device is gone",
    });
    expect((await archive.deps.table.get(consoleKey(id)))?.version).toBe(item.version);
  } finally {
    await archive.close();
  }
});
