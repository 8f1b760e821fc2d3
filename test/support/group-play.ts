import { expect } from "vitest";
import { AppError } from "../../control-plane/domain/app-error.ts";
import type { DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { writeDevice, setDeviceHealth } from "../../control-plane/domain/devices.ts";
import { finishJob } from "../../control-plane/domain/finish-job.ts";
import {
  callerOf,
  findMessage,
  findMessages,
  joinGroup,
  sendMessage,
} from "../../control-plane/domain/group-calls.ts";
import type { JobRecord } from "../../control-plane/domain/job-record.ts";
import { cancelJob } from "../../control-plane/domain/jobs.ts";
import { matchDevices } from "../../control-plane/domain/match-devices.ts";
import { passFacts, withWorker } from "../../control-plane/domain/pass-facts.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { submitJob } from "../../control-plane/domain/submit-job.ts";
import { obstacle } from "../../control-plane/domain/suits.ts";
import { sync } from "../../control-plane/domain/sync.ts";
import { syncAt } from "../../control-plane/domain/sync-point.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { addWorker } from "../../control-plane/domain/workers.ts";
import { aJob } from "./builders.ts";
import { aGroupJob, aGuestRole, aRole } from "./group-job.ts";
import { turns, type MemoryWorld } from "./memory-world.ts";
import { fc } from "./property.ts";

export const AGENTS = [0, 1];
const who = { agent: fc.nat(1), nth: fc.nat(3) };
const TALK = ["group", "send", "wait", "wait-all", "sync"] as const;
/** What may happen by itself. */
const alone = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("group" as const),
      counts: fc.tuple(fc.nat(2), fc.nat(2)),
      isEssential: fc.boolean(),
      hasGuest: fc.boolean(),
      priority: fc.nat(2),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("single" as const),
      type: fc.nat(1),
      priority: fc.nat(2),
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("sync" as const), ...who }) },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant("talk" as const),
      ...who,
      what: fc.constantFrom(...TALK),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("end" as const), ...who, isWell: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), nth: fc.nat(12) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("health" as const),
      device: fc.nat(4),
      health: fc.constantFrom("Good" as const, "Bad" as const, "Maintenance" as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("tick" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("crash" as const),
      at: fc.integer({ min: 1, max: 6 }),
      when: fc.constantFrom("before" as const, "after" as const),
    }),
  },
);
type Alone = typeof alone extends fc.Arbitrary<infer E> ? E : never;
/** What members say to each other has an order that is checked, so it is said alone. */
const atOnce = alone.filter((step) => !["talk", "crash", "end"].includes(step.do));
/** What may happen: something, or some of it at the same time, with a pass of each type. */
export const groupEvent: fc.Arbitrary<GroupEvent> = fc.oneof(
  { weight: 5, arbitrary: alone },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("together" as const),
      steps: fc.array(atOnce, { minLength: 1, maxLength: 4 }),
    }),
  },
);
export type GroupEvent = Alone | { do: "together"; steps: Alone[] };

interface Runner {
  id: number;
  token: string;
  isOver: boolean;
  /** Of the last call; of those for the meeting, how many were let go. */
  call: number;
  syncCall?: number | undefined;
  passed: number;
  begun: number;
}

/** A lab of two workers and five devices in which people submit groups and single jobs, and its checks. */
export async function groupPlay(
  world: MemoryWorld,
  { limits, workers }: { limits: readonly number[]; workers: readonly number[] },
) {
  const { deps, admin } = world;
  const agents: { name: string; tokenId: string; runners: Map<number, Runner> }[] = [];
  for (const [n, job_limit] of limits.entries()) {
    const { token } = await addWorker(deps, admin, { name: `w${n}`, description: "", job_limit });
    const principal = await authenticate(deps, token);
    if (principal?.kind !== "worker") throw new Error("no worker");
    agents.push({ name: principal.name, tokenId: principal.tokenId, runners: new Map() });
  }
  for (const n of [0, 1, 2, 3, 4]) {
    await writeDevice(deps, admin, `d${n}`, {
      device_type: n < 3 ? "t0" : "t1",
      worker: `w${workers[n]}`,
      tags: [],
      description: "",
      comment: "",
      dictionary: "{% extends 'qemu.jinja2' %}\n",
    });
    await setDeviceHealth(deps, admin, `d${n}`, { health: "Good" });
  }
  await world.settled();

  const all = () => agents.flatMap((agent) => [...agent.runners.values()]);
  /** Per group: which of its jobs have surely sent the message, and whether one may have. */
  const sent = new Map<string, { sure: Set<number>; maybe: Set<number> }>();
  const sentOf = (group: string) => {
    const known = sent.get(group) ?? { sure: new Set(), maybe: new Set() };
    sent.set(group, known);
    return known;
  };

  async function syncAgent({ name, tokenId, runners }: (typeof agents)[number]): Promise<void> {
    const reports = [...runners.values()].map(({ id, isOver }) => ({
      job_id: id,
      state: isOver ? ("finished" as const) : ("running" as const),
    }));
    const request = { protocol: 1, version: "test", runners: reports, wait_seconds: 0 };
    const answer = await sync(world.deps, { kind: "worker", name, tokenId }, request);
    for (const id of answer.forget) runners.delete(id);
    for (const id of answer.cancel) await end(id, false);
    for (const { job_id: id, token } of answer.start) {
      expect(all().some((one) => one.id === id)).toBe(false);
      runners.set(id, { id, token, isOver: false, call: 0, passed: 0, begun: 0 });
    }
    if (answer.start.length > 0) await syncAgent({ name, tokenId, runners });
  }

  async function end(id: number, isWell: boolean): Promise<void> {
    const runner = all().find((one) => one.id === id);
    if (!runner) return;
    runner.isOver = true;
    const job = await authenticate(world.deps, runner.token);
    const outcome = isWell
      ? ({ result: "pass", lines: 0 } as const)
      : ({ result: "fail", error_type: "Test", lines: 0 } as const);
    if (job) await finishJob(world.deps, job, id, outcome);
    for (const { runners } of agents) runners.delete(id);
  }

  /** One call of a member, as its runner makes it; an answer that does not come is asked for again with the same call. */
  async function talk(runner: Runner, what: (typeof TALK)[number]): Promise<void> {
    const job = await authenticate(world.deps, runner.token);
    if (job?.kind !== "job") return;
    const caller = await callerOf(world.deps, job, runner.id);
    const { group, jobId } = caller;
    const asked = { message_id: "m" };
    const known = sentOf(group.id);
    if (what === "group") await joinGroup(world.deps, caller);
    if (what === "send") {
      known.maybe.add(jobId);
      await sendMessage(world.deps, caller, {
        ...asked,
        data: { from: String(jobId) },
        call: ++runner.call,
      });
      known.sure.add(jobId);
    }
    if (what === "wait" || what === "wait-all") {
      const reply = await (what === "wait" ? findMessage : findMessages)(world.deps, caller, asked);
      const isDue =
        what === "wait" ? known.sure.size > 0 : known.sure.size === group.members.length;
      if (isDue) expect(reply.response).toBe("ack");
      if (reply.response !== "ack") return;
      const senders = Object.entries(reply.data).map(([id, data]) => {
        expect(data).toEqual({ from: id });
        return Number(id);
      });
      expect([...known.sure].filter((id) => !senders.includes(id))).toEqual([]);
      expect(senders.filter((id) => !known.maybe.has(id))).toEqual([]);
    }
    if (what === "sync") {
      if (runner.syncCall === undefined) {
        runner.syncCall = ++runner.call;
        runner.begun += 1;
      }
      const reply = await syncAt(world.deps, caller, { message_id: "s", call: runner.syncCall });
      if (reply.response !== "ack") return;
      runner.syncCall = undefined;
      runner.passed += 1;
      const members = all().filter((one) => group.members.some(({ job_id }) => job_id === one.id));
      for (const other of members) expect(other.begun).toBeGreaterThanOrEqual(runner.passed);
    }
  }

  /** At the same time, but for what one agent does, which does one thing after the other. */
  async function together(steps: readonly Alone[]): Promise<void> {
    const lines = new Map<unknown, Promise<unknown>>();
    for (const [n, step] of steps.entries()) {
      const line = "agent" in step ? `agent ${step.agent}` : n;
      const before = lines.get(line) ?? turns((n * 29) % 90);
      lines.set(
        line,
        before.then(() => play.do(step)),
      );
    }
    const passes = ["t0", "t1"].map((type) => schedulePass(world.deps, type));
    const ends = await Promise.allSettled([...lines.values(), ...passes]);
    const errors = ends.flatMap((one) =>
      one.status === "rejected" ? [one.reason as unknown] : [],
    );
    const worst = errors.find((error) => !(error instanceof AppError)) ?? errors[0];
    if (worst !== undefined) throw worst;
  }

  const play = {
    end,
    async do(step: GroupEvent): Promise<void> {
      const runner =
        "agent" in step ? [...agents[step.agent]!.runners.values()][step.nth] : undefined;
      switch (step.do) {
        case "group":
          return void (await submitJob(world.deps, admin, groupOf(step)));
        case "single": {
          const lines = [`priority: ${step.priority * 10}`];
          const source = aJob({ deviceType: `t${step.type}`, lines });
          return void (await submitJob(world.deps, admin, source));
        }
        case "sync":
          return syncAgent(agents[step.agent]!);
        case "talk":
          return runner && talk(runner, step.what);
        case "end":
          return runner && end(runner.id, step.isWell);
        case "cancel":
          return void (await cancelJob(world.deps, admin, step.nth + 1));
        case "health":
          return void (await setDeviceHealth(world.deps, admin, `d${step.device}`, {
            health: step.health,
          }));
        case "tick":
          return tick(world.deps);
        case "together":
          return together(step.steps);
        case "crash":
          return world.crashes.plan(step.at, step.when);
      }
    },
    async check(): Promise<void> {
      const jobs = await world.jobs();
      for (const members of groupsOf(jobs).values()) {
        const waiting = members.filter(({ state }) => state === "Submitted");
        const told = members.map(({ id, state }) => `${id} ${state}`);
        expect([told, [0, members.length]]).toEqual([
          told,
          expect.toSatisfy((counts: number[]) => counts.includes(waiting.length)),
        ]);
        requireTheirEnd(members);
      }
      for (const { hostname, current_job, state } of await world.devices()) {
        const holders = jobs.filter((job) => isActive(job) && job.device === hostname);
        const ids = holders.map(({ id }) => id);
        expect([hostname, ids]).toEqual([hostname, current_job === undefined ? [] : [current_job]]);
        expect([hostname, state === "Idle"]).toEqual([hostname, ids.length === 0]);
      }
      for (const { name, job_limit } of await world.workers()) {
        const there = jobs.filter((job) => isActive(job) && job.worker === name);
        const devices = there.filter(({ host_job }) => host_job === undefined).length;
        if (job_limit > 0) expect(devices).toBeLessThanOrEqual(job_limit);
      }
      await requireNoneWaitsInVain(jobs);
      expect(world.complaints).toEqual([]);
      expect(world.failures).toEqual([]);
    },
    async bringToAnEnd(): Promise<void> {
      world.crashes.plan(Infinity, "before");
      for (let round = 0; round < 60; round++) {
        for (const { hostname } of await world.devices()) {
          await world.run(() => setDeviceHealth(world.deps, admin, hostname, { health: "Good" }));
        }
        for (const agent of agents) await world.run(() => syncAgent(agent));
        for (const { id } of all()) await world.run(() => end(id, true));
        await world.run(() => tick(world.deps));
        await play.check();
        if ((await world.jobs()).every(({ state }) => state === "Finished")) break;
      }
      // Groups for which the lab has too little could never begin.
      const stuck = (await world.jobs()).filter(({ state }) => state !== "Finished");
      for (const { id } of stuck) await world.run(() => cancelJob(world.deps, admin, id));
      expect(await couldBegin(stuck, asIfIdle)).toEqual([]);
      const open = await world.deps.table.query("i1", "open-multinode");
      expect(open.items).toEqual([]);
    },
  };

  /** The most urgent of all waiting groups waits only as long as it has to. */
  async function requireNoneWaitsInVain(jobs: readonly JobRecord[]): Promise<void> {
    const waiting = jobs.filter((job) => job.group !== undefined && job.state === "Submitted");
    const [first] = waiting.toSorted((a, b) => b.priority - a.priority || a.id - b.id);
    expect(await couldBegin(waiting.filter(({ group }) => group === first?.group))).toEqual([]);
  }

  /** Groups among some jobs for which there are devices and places enough; with `asIfIdle` if nothing else ran. */
  async function couldBegin(
    jobs: readonly JobRecord[],
    as: (device: DeviceRecord) => DeviceRecord = (device) => device,
  ): Promise<string[]> {
    const devices = (await world.devices()).map(as);
    const places = new Map<string, number>();
    const passed = passFacts(world.deps);
    const found: string[] = [];
    for (const [group, members] of groupsOf(jobs)) {
      const choices: DeviceRecord[][] = [];
      for (const job of members.filter(({ host_job }) => host_job === undefined)) {
        const fitting: DeviceRecord[] = [];
        for (const device of devices) {
          const { facts } = await withWorker(world.deps, await passed.forJob(job), device);
          const now = as === asIfIdle ? { ...facts, jobsOfWorker: 0 } : facts;
          const { job_limit = 0 } = facts.worker ?? {};
          if (job_limit > 0) places.set(device.worker, job_limit - (now.jobsOfWorker ?? 0));
          if (!obstacle(job, device, now)) fitting.push(device);
        }
        choices.push(fitting);
      }
      if (!matchDevices(choices, places).includes(undefined)) found.push(group);
    }
    return found;
  }
  return play;
}

const groupOf = ({
  counts: [some, others],
  isEssential,
  hasGuest,
  priority,
}: Extract<GroupEvent, { do: "group" }>): string => {
  const essential = isEssential ? ", essential: true" : "";
  const roles: Record<string, string> = { host: aRole(1, `device_type: t0${essential}`) };
  if (some > 0) roles["some"] = aRole(some, "device_type: t0");
  if (others > 0) roles["others"] = aRole(others, "device_type: t1");
  if (hasGuest) roles["guest"] = aGuestRole();
  return aGroupJob(roles, [`priority: ${priority * 10}`]);
};

const isActive = ({ state }: JobRecord): boolean =>
  state === "Scheduled" || state === "Running" || state === "Canceling";

const asIfIdle = (device: DeviceRecord): DeviceRecord => ({ ...device, state: "Idle" });

/** One that was canceled has taken the others along. */
function requireTheirEnd(members: readonly JobRecord[]): void {
  const isCanceled = members.some(
    ({ state, health }) => state === "Canceling" || health === "Canceled",
  );
  if (!isCanceled) return;
  const going = members.filter(({ state }) => state !== "Canceling" && state !== "Finished");
  expect(going.map(({ id }) => id)).toEqual([]);
}

function groupsOf(jobs: readonly JobRecord[]): Map<string, JobRecord[]> {
  const groups = new Map<string, JobRecord[]>();
  for (const job of jobs) {
    if (job.group !== undefined) groups.set(job.group, [...(groups.get(job.group) ?? []), job]);
  }
  return groups;
}
