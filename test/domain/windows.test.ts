import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Problem } from "#protocol/api.ts";
import type { LabPlan } from "#protocol/lab.ts";
import type { WindowList, WindowView } from "#protocol/windows.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { nextSpan } from "../../control-plane/domain/window-times.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

describe("the time of a window", () => {
  const weekly = (days: string[], at: string, minutes: number, zone = "UTC") =>
    ({ weekly: { days, at, minutes, zone } }) as Parameters<typeof nextSpan>[0];
  const next = (window: Parameters<typeof nextSpan>[0], now: string) => {
    const span = nextSpan(window, Date.parse(now));
    return span && [span.start, span.end].map((at) => new Date(at).toISOString().slice(0, 16));
  };

  test("that is once is over when it has ended", () => {
    const once = { from: "2026-03-01T22:00:00Z", to: "2026-03-01T23:00:00Z" };
    expect(next(once, "2026-03-01T22:59:59Z")).toEqual(["2026-03-01T22:00", "2026-03-01T23:00"]);
    expect(next(once, "2026-03-01T23:00:00Z")).toBeUndefined();
  });

  test("that is weekly is the present one, else the next", () => {
    // A Sunday.
    const window = weekly(["sat", "sun"], "22:00", 120);
    expect(next(window, "2026-03-01T21:00:00Z")).toEqual(["2026-03-01T22:00", "2026-03-02T00:00"]);
    expect(next(window, "2026-03-01T23:59:00Z")).toEqual(["2026-03-01T22:00", "2026-03-02T00:00"]);
    expect(next(window, "2026-03-02T00:00:00Z")).toEqual(["2026-03-07T22:00", "2026-03-08T00:00"]);
  });

  test("is that of the clock in its zone, in winter and in summer", () => {
    const berlin = weekly(["sat"], "22:00", 60, "Europe/Berlin");
    expect(next(berlin, "2026-03-01T00:00:00Z")?.[0]).toBe("2026-03-07T21:00");
    expect(next(berlin, "2026-07-01T00:00:00Z")?.[0]).toBe("2026-07-04T20:00");
    const kathmandu = weekly(["mon"], "00:15", 60, "Asia/Kathmandu");
    expect(next(kathmandu, "2026-03-01T12:00:00Z")?.[0]).toBe("2026-03-01T18:30");
  });

  test("that the clock skips when summer begins is an hour later, and its length stays", () => {
    const skipped = weekly(["sun"], "02:30", 60, "Europe/Berlin");
    expect(next(skipped, "2026-03-28T12:00:00Z")).toEqual(["2026-03-29T01:30", "2026-03-29T02:30"]);
    const west = weekly(["sun"], "02:30", 60, "America/New_York");
    expect(next(west, "2026-03-07T12:00:00Z")).toEqual(["2026-03-08T07:30", "2026-03-08T08:30"]);
    const across = weekly(["sun"], "01:00", 180, "Europe/Berlin");
    expect(next(across, "2026-03-28T12:00:00Z")).toEqual(["2026-03-29T00:00", "2026-03-29T03:00"]);
  });

  test("of a whole week that began a week ago is still the present one", () => {
    const all = weekly(["mon"], "00:00", 7 * 24 * 60);
    expect(next(all, "2026-03-08T23:59:00Z")).toEqual(["2026-03-02T00:00", "2026-03-09T00:00"]);
  });
});

let lab: EmbeddedLab;
let bench: string;
beforeEach(async () => {
  lab = await embeddedLab();
  bench = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(bench);
});
afterEach(() => lab.close());

const put = (name: string, window: object) =>
  lab.api<WindowView>(`/windows/${name}`, { method: "PUT", body: window });
const once = (from: string, to: string) => ({
  from: `2026-03-01T${from}:00Z`,
  to: `2026-03-01T${to}:00Z`,
});
const state = async (id: number) => (await lab.job(id)).state;
const waitsFor = async (id: number) => (await lab.job(id)).waits_for;
async function sweep(): Promise<void> {
  await tick(lab.deps);
  await lab.settled();
  await lab.sync(bench);
}

describe("in a maintenance window", () => {
  test.each([
    ["the lab", { lab: true }],
    ["a device type", { device_type: "qemu" }],
    ["a worker", { worker: "bench" }],
    ["a device", { device: "qemu-01" }],
  ])("of %s no job begins, and begins when it has ended", async (_, place) => {
    await put("now", { ...place, ...once("11:00", "13:00"), reason: "new cables" });
    const id = await lab.submit();
    expect(await waitsFor(id)).toBe(
      "of 1 fitting device: 1 in maintenance window now until 2026-03-01T13:00:00.000Z",
    );
    lab.pass(3600);
    await lab.sync(bench);
    await sweep();
    expect(await state(id)).toBe("Scheduled");
  });

  test("jobs of other devices begin, and what runs goes on", async () => {
    await lab.addDevice("qemu-02");
    await put("now", { device: "qemu-01", ...once("11:00", "13:00") });
    const id = await lab.submit();
    expect((await lab.job(id)).device).toBe("qemu-02");
    await put("later", { device: "qemu-02", ...once("11:00", "13:00") });
    await lab.sync(bench, [{ job_id: id, state: "running" }]);
    expect(await state(id)).toBe("Running");
  });

  test("devices keep their health", async () => {
    await put("now", { lab: true, ...once("11:00", "13:00") });
    await sweep();
    expect(await lab.api("/devices/qemu-01")).toMatchObject({ health: "Good", state: "Idle" });
  });
});

test("before a window no job begins that might still run in it, unless it may", async () => {
  // The job says that it takes ten minutes at most.
  await put("soon", { lab: true, ...once("12:09", "13:00") });
  const id = await lab.submit();
  expect(await waitsFor(id)).toContain("soon in maintenance window soon, from 2026-03-01T12:09");
  const short = await lab.submit(aJob().replace("job: {minutes: 10}", "job: {minutes: 8}"));
  expect([await state(id), await state(short)]).toEqual(["Submitted", "Scheduled"]);
  await lab.addDevice("qemu-02");
  expect(await state(id)).toBe("Submitted");
  await put("soon", { lab: true, ...once("12:09", "13:00"), drain: false });
  await lab.settled();
  expect(await state(id)).toBe("Scheduled");
});

test("a window that is removed holds nobody up any more", async () => {
  await put("now", { lab: true, ...once("11:00", "13:00") });
  const id = await lab.submit();
  await lab.request("/windows/now", { method: "DELETE" });
  await lab.settled();
  expect(await state(id)).toBe("Scheduled");
  expect((await lab.request("/windows/now", { method: "DELETE" })).status).toBe(404);
});

test("a weekly one asks for passes at the end of each of its times", async () => {
  const weekly = { days: ["sun"], at: "11:00", minutes: 120, zone: "UTC" };
  await put("sundays", { lab: true, weekly });
  for (let week = 0; week < 2; week++) {
    const id = await lab.submit();
    expect(await state(id)).toBe("Submitted");
    lab.pass(3600);
    await lab.sync(bench);
    await sweep();
    expect(await state(id)).toBe("Scheduled");
    await lab.api(`/jobs/${id}/cancel`, { body: {} });
    await lab.sync(bench);
    lab.pass(7 * 24 * 3600 - 3600);
    await lab.sync(bench);
  }
  const { windows } = await lab.api<WindowList>("/windows");
  expect(windows[0]!.next!.from).toBe("2026-03-15T11:00:00.000Z");
});

test.each([
  [{ ...once("11:00", "13:00") }, "expected one of lab: true, device_type, worker and device"],
  [{ lab: true, device: "qemu-01", ...once("11:00", "13:00") }, "expected one of lab"],
  [{ lab: true, ...once("13:00", "11:00") }, "expected from to be before to"],
  [{ lab: true }, "expected from and to, or weekly"],
  [{ lab: true, from: "tomorrow", to: "2026-03-01T11:00:00Z" }, "from: expected a time such as"],
  [{ device: "none", ...once("11:00", "13:00") }, 'there is no device "none"'],
  [
    { lab: true, weekly: { days: ["sun"], at: "11:00", minutes: 5, zone: "Europe/Atlantis" } },
    "weekly.zone: expected a time zone such as Europe/Berlin or UTC",
  ],
  [{ lab: true, weekly: { days: ["su"], at: "11:00", minutes: 5 } }, "did you mean sun?"],
])("what is no window is refused: %j", async (window, message) => {
  const refused = await lab.request("/windows/odd", { method: "PUT", body: window });
  expect(refused.status).toBe(400);
  expect(((await refused.json()) as Problem).message).toContain(message);
});

test("windows are part of a lab as code, and one of what the plan removes is an error", async () => {
  const windows = { cables: { device: "qemu-01", ...once("14:00", "15:00"), reason: "cables" } };
  await lab.api("/lab/apply", { body: { lab: { windows } } });
  const told = await lab.api<{ windows: object }>("/lab");
  expect(told.windows).toEqual({ cables: { ...windows.cables, drain: true } });
  const plan = (wanted: object) =>
    lab.api<LabPlan>("/lab/plan", { body: { lab: wanted, prune: true } });
  expect((await plan(told)).changes).toEqual([]);
  expect((await plan({ devices: {} })).errors).toMatchObject([
    { section: "windows", name: "cables", field: "device" },
  ]);
  expect((await plan({ devices: {}, windows: {} })).errors).toEqual([]);
});

test("who made, changed and removed a window is written down", async () => {
  await put("now", { lab: true, ...once("11:00", "13:00") });
  await put("now", { lab: true, ...once("11:00", "14:00") });
  await lab.request("/windows/now", { method: "DELETE" });
  const { items } = await lab.deps.table.query("main", "changes#lab#windows");
  const text = expect.stringContaining("13:00");
  expect(items.map(({ data }) => data)).toMatchObject([
    { who: "admin", changed: { now: [null, text] } },
    { changed: { now: [text, expect.stringContaining("14:00")] } },
    { changed: { now: [expect.stringContaining("14:00"), null] } },
  ]);
});
