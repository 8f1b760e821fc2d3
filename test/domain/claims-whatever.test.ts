import { expect, test } from "vitest";
import { AppError } from "../../control-plane/domain/app-error.ts";
import { writeDevice } from "../../control-plane/domain/devices.ts";
import { finishJob } from "../../control-plane/domain/finish-job.ts";
import type { JobRecord } from "../../control-plane/domain/job-record.ts";
import { cancelJob } from "../../control-plane/domain/jobs.ts";
import { writeSettings } from "../../control-plane/domain/lab-settings.ts";
import type { User } from "../../control-plane/domain/principal.ts";
import { queryAll } from "../../control-plane/domain/query-all.ts";
import { holdsSlot } from "../../control-plane/domain/quotas.ts";
import { holderOf, type ReservationRecord } from "../../control-plane/domain/reservation-record.ts";
import {
  endReservation,
  extendReservation,
  makeReservation,
} from "../../control-plane/domain/reservations.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { submitJob } from "../../control-plane/domain/submit-job.ts";
import { sync } from "../../control-plane/domain/sync.ts";
import { putGroup } from "../../control-plane/domain/groups.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { putWindow, removeWindow } from "../../control-plane/domain/windows.ts";
import { addWorker } from "../../control-plane/domain/workers.ts";
import { TableConflict } from "../../control-plane/ports/table.ts";
import { aJob } from "../support/builders.ts";
import { memoryWorld, type MemoryWorld } from "../support/memory-world.ts";
import { fc } from "../support/property.ts";
import { checkLab } from "../support/scheduler-checks.ts";
import { violationsOf } from "../support/violations-of.ts";

/** More for a longer look: PUMICE_RUNS=2000. */
const RUNS = Number(process.env["PUMICE_RUNS"] ?? 15);
const PEOPLE = ["alice", "bob", "carol"] as const;
const DEVICES = ["d0", "d1", "d2"] as const;
const QUOTAS = {
  default: { running: 2, waiting: 3 },
  users: { carol: { running: 1 } },
  groups: { kernel: { running: 2 } },
};
const MOST = { alice: 2, bob: 2, carol: 1, kernel: 2 };

type Event =
  | { do: "submit"; who: number; type: number; isRetried: boolean }
  | { do: "sync" }
  | { do: "end"; nth: number; isLabsFault: boolean }
  | { do: "cancel"; nth: number }
  | { do: "reserve"; who: number; device: number; minutes: number }
  | { do: "extend" | "give back"; who: number; device: number }
  | { do: "window"; device: number; isThere: boolean }
  | { do: "time"; seconds: number }
  | { do: "passes" }
  | { do: "crash"; nth: number; when: "before" | "after" };

const of = <T extends Record<string, fc.Arbitrary<unknown>>>(name: string, fields: T) =>
  fc.record({ do: fc.constant(name), ...fields }) as fc.Arbitrary<never>;
const who = fc.nat(2);
const device = fc.nat(2);
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: of("submit", { who, type: fc.nat(1), isRetried: fc.boolean() }),
  },
  { weight: 5, arbitrary: of("sync", {}) },
  { weight: 6, arbitrary: of("end", { nth: fc.nat(2), isLabsFault: fc.boolean() }) },
  { weight: 2, arbitrary: of("cancel", { nth: fc.nat(9) }) },
  {
    weight: 4,
    arbitrary: of("reserve", { who, device, minutes: fc.constantFrom(5, 60) }),
  },
  { weight: 1, arbitrary: of("extend", { who, device }) },
  { weight: 1, arbitrary: of("give back", { who, device }) },
  { weight: 1, arbitrary: of("window", { device, isThere: fc.boolean() }) },
  { weight: 3, arbitrary: of("time", { seconds: fc.constantFrom(60, 301, 4000) }) },
  { weight: 1, arbitrary: of("passes", {}) },
  {
    weight: 4,
    arbitrary: of("crash", {
      nth: fc.integer({ min: 1, max: 6 }),
      when: fc.constantFrom("before", "after"),
    }),
  },
);

test("whatever happens, in whatever order, and wherever the process dies: quotas hold and don't drift, a reserved device is its holder's, and nobody waits in vain", async () => {
  const property = fc.asyncProperty(
    fc.nat(1_000_000),
    fc.array(event, { minLength: 10, maxLength: 60, size: "max" }),
    async (dice, events) => {
      const world = await memoryWorld(isRefusal, dice);
      try {
        const play: Play = { world, worker: "", tokens: new Map(), runners: new Map() };
        await setUp(play);
        for (const step of events) {
          const before = await world.jobs();
          await world.run(() => doStep(play, step));
          await check(play, before);
        }
        await bringToAnEnd(play);
        expect(await violationsOf(world.deps, world.admin)).toEqual([]);
        expect([world.complaints, world.failures]).toEqual([[], []]);
      } finally {
        world.close();
      }
    },
  );
  const seed = process.env["PUMICE_SEED"];
  const options = { numRuns: RUNS, ...(seed === undefined ? {} : { seed: Number(seed) }) };
  await expect(fc.assert(property, options)).resolves.toBeUndefined();
}, 3_600_000);

const isRefusal = (error: unknown): boolean =>
  error instanceof AppError && error.code !== "unavailable" && !(error instanceof TableConflict);

interface Play {
  world: MemoryWorld;
  /** Its token's id. */
  worker: string;
  tokens: Map<number, string>;
  /** By job: whether it is over. */
  runners: Map<number, boolean>;
}

const person = (n: number): User => ({
  kind: "user",
  name: PEOPLE[n] ?? "",
  admin: false,
  groups: n < 2 ? ["kernel"] : [],
  tokenId: "",
});

async function setUp(play: Play): Promise<void> {
  const { deps, admin } = play.world;
  const made = await addWorker(deps, admin, { name: "w", description: "", job_limit: 0 });
  const principal = await authenticate(deps, made.token);
  if (principal?.kind !== "worker") throw new Error("no worker");
  play.worker = principal.tokenId;
  for (const [n, hostname] of DEVICES.entries()) {
    await writeDevice(deps, admin, hostname, {
      device_type: n < 2 ? "t0" : "t1",
      worker: "w",
      tags: [],
      description: "",
      comment: "",
      dictionary: "{% extends 'qemu.jinja2' %}\n",
    });
  }
  await putGroup(deps, admin, "kernel", { description: "", members: ["alice", "bob"] });
  await writeSettings(deps, { quotas: QUOTAS, access: { rule: "open" } } as never, {
    who: "admin",
  });
  await play.world.settled();
  await syncWorker(play);
}

async function doStep(play: Play, step: Event): Promise<void> {
  const { deps, admin, crashes } = play.world;
  switch (step.do) {
    case "submit": {
      const lines = step.isRetried ? ["retry_on: infrastructure"] : [];
      await submitJob(deps, person(step.who), aJob({ deviceType: `t${step.type}`, lines }));
      return;
    }
    case "sync":
      return syncWorker(play);
    case "end":
      return endRunner(play, step.nth, step.isLabsFault);
    case "cancel":
      await cancelJob(deps, admin, step.nth + 1);
      return;
    case "reserve": {
      const [seconds, tags] = [step.minutes * 60, [] as string[]];
      const hostname = DEVICES[step.device]!;
      await makeReservation(deps, person(step.who), {
        device: hostname,
        seconds,
        tags,
        reason: "",
      });
      return;
    }
    case "extend":
      await extendReservation(deps, person(step.who), DEVICES[step.device]!, 600);
      return;
    case "give back":
      return endReservation(deps, person(step.who), DEVICES[step.device]!);
    case "window": {
      if (!step.isThere) return removeWindow(deps, admin, "w");
      const now = deps.system.now();
      const [from, to] = [now, now + 3_600_000].map((at) => new Date(at).toISOString());
      const window = { device: DEVICES[step.device], from, to, drain: false, reason: "" };
      await putWindow(deps, admin, "w", window);
      return;
    }
    case "time":
      play.world.pass(step.seconds);
      await syncWorker(play);
      return tick(deps);
    case "passes":
      await Promise.all(["t0", "t1", "t0", "t0"].map((type) => schedulePass(deps, type)));
      return;
    case "crash":
      crashes.plan(step.nth, step.when);
  }
}

async function syncWorker(play: Play): Promise<void> {
  const { deps } = play.world;
  const runners = [...play.runners].map(([job_id, isOver]) => ({
    job_id,
    state: isOver ? ("finished" as const) : ("running" as const),
  }));
  const request = { protocol: 1, version: "test", runners, wait_seconds: 0 };
  const principal = { kind: "worker", name: "w", tokenId: play.worker } as const;
  const answer = await sync(deps, principal, request);
  for (const id of answer.forget) play.runners.delete(id);
  for (const id of answer.cancel) if (play.runners.has(id)) play.runners.set(id, true);
  for (const { job_id, token } of answer.lost) {
    const job = await authenticate(deps, token);
    const end = { result: "fail", error_type: "Infrastructure", lines: 0 } as const;
    if (job) await finishJob(deps, job, job_id, end);
  }
  for (const { job_id, token } of answer.start) {
    play.runners.set(job_id, false);
    play.tokens.set(job_id, token);
  }
  if (answer.start.length > 0) await syncWorker(play);
}

async function endRunner(play: Play, nth: number, isLabsFault: boolean): Promise<void> {
  const { deps } = play.world;
  const [id] = [...play.runners.keys()].slice(nth);
  if (id === undefined) return;
  play.runners.set(id, true);
  const job = await authenticate(deps, play.tokens.get(id) ?? "");
  const end = isLabsFault
    ? ({ result: "fail", error_type: "Infrastructure", lines: 0 } as const)
    : ({ result: "pass", lines: 0 } as const);
  if (job) await finishJob(deps, job, id, end);
  play.runners.delete(id);
}

async function check(play: Play, before: readonly JobRecord[]): Promise<void> {
  const { world } = play;
  await checkLab(world);
  const jobs = await world.jobs();
  await checkQuotas(world, jobs);
  await checkReservations(world, jobs, before);
}

async function checkQuotas(world: MemoryWorld, jobs: readonly JobRecord[]): Promise<void> {
  const { table } = world.deps;
  const there: string[] = [];
  for (const account of [...PEOPLE.map((name) => `user/${name}`), "group/kernel"]) {
    for await (const { data } of queryAll<{ name: string }>(
      { table },
      "main",
      `quota#${account}`,
    )) {
      if (!data.name.includes("#held#")) there.push(data.name);
    }
  }
  const held = jobs.flatMap((job) =>
    (job.quota_slots ?? []).filter((name) => holdsSlot(job, name)),
  );
  expect(there.toSorted(byText)).toEqual(held.toSorted(byText));
  const running = jobs.filter(
    ({ state }) => state === "Scheduled" || state === "Running" || state === "Canceling",
  );
  const count = (...names: string[]) =>
    running.filter(({ submitter }) => names.includes(submitter)).length;
  for (const name of PEOPLE) expect(count(name)).toBeLessThanOrEqual(MOST[name]);
  expect(count("alice", "bob")).toBeLessThanOrEqual(MOST.kernel);
  for (const name of PEOPLE) {
    const waiting = jobs.filter(
      ({ submitter, state, attempt }) => submitter === name && state === "Submitted" && !attempt,
    );
    expect(waiting.length).toBeLessThanOrEqual(3);
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

async function checkReservations(
  world: MemoryWorld,
  jobs: readonly JobRecord[],
  before: readonly JobRecord[],
): Promise<void> {
  const { table, system } = world.deps;
  const open: ReservationRecord[] = [];
  for await (const { data } of queryAll<ReservationRecord>({ table }, "i1", "reservations")) {
    open.push(data);
  }
  for (const one of await world.devices()) {
    const mine = open.filter(({ device: hostname }) => hostname === one.hostname);
    expect(mine.map(({ id, until }) => [id, until])).toEqual(
      one.reservation ? [[one.reservation.id, one.reservation.until]] : [],
    );
    const holder = holderOf(one, system.now())?.holder;
    const job = jobs.find(({ id }) => id === one.current_job);
    if (holder === undefined || !job || job.submitter === holder) continue;
    // Somebody else's job on a reserved device was there before, or has left it to a worker that may still be using it.
    const earlier = before.find(({ id }) => id === job.id);
    const had = earlier?.device ?? earlier?.left?.device;
    expect([job.id, had]).toEqual([job.id, one.hostname]);
    expect(mine[0]!.state).toBe("waiting");
  }
  for (const name of PEOPLE) {
    const item = await table.get<{ ids: string[] }>({
      partition: `reservations-of#${name}`,
      sort: "open",
    });
    const theirs = open.filter(({ holder }) => holder === name).map(({ id }) => id);
    expect((item?.data.ids ?? []).toSorted(byText)).toEqual(theirs.toSorted(byText));
    expect(theirs.length).toBeLessThanOrEqual(2);
  }
}

async function bringToAnEnd(play: Play): Promise<void> {
  const { world } = play;
  world.crashes.plan(Infinity, "before");
  for (let round = 0; round < 100; round++) {
    await world.run(() => doStep(play, { do: "time", seconds: 4000 }));
    for (const _ of [...play.runners]) {
      await world.run(() => endRunner(play, 0, false));
    }
    await check(play, await world.jobs());
    if ((await world.jobs()).every(({ state }) => state === "Finished")) break;
  }
  const stuck = (await world.jobs()).filter(({ state }) => state !== "Finished");
  expect(stuck.map(({ id }) => id)).toEqual([]);
}
