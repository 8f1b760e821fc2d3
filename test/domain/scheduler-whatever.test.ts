import { expect, test } from "vitest";
import { AppError } from "../../control-plane/domain/app-error.ts";
import { setDeviceHealth, writeDevice } from "../../control-plane/domain/devices.ts";
import { putDeviceType } from "../../control-plane/domain/device-types.ts";
import { finishJob } from "../../control-plane/domain/finish-job.ts";
import { forceHealthCheck } from "../../control-plane/domain/force-check.ts";
import { putHealthCheck } from "../../control-plane/domain/health-checks.ts";
import { cancelJob } from "../../control-plane/domain/jobs.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { submitJob } from "../../control-plane/domain/submit-job.ts";
import { sync } from "../../control-plane/domain/sync.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { setPriority } from "../../control-plane/domain/urge-job.ts";
import { setWorkerHealth } from "../../control-plane/domain/worker-health.ts";
import { addWorker } from "../../control-plane/domain/workers.ts";
import { TableConflict } from "../../control-plane/ports/table.ts";
import { aJob } from "../support/builders.ts";
import { memoryWorld, turns, type MemoryWorld } from "../support/memory-world.ts";
import { fc } from "../support/property.ts";
import { checkLab, requireOrder } from "../support/scheduler-checks.ts";
import { event, type Event } from "../support/scheduler-events.ts";
import { violationsOf } from "../support/violations-of.ts";

/** More for a longer look: PUMICE_RUNS=2000. */
const RUNS = Number(process.env["PUMICE_RUNS"] ?? 25);

const lab = fc.record({
  limits: fc.tuple(fc.nat(2), fc.nat(2)),
  workers: fc.array(fc.nat(1), { minLength: 5, maxLength: 5 }),
  tagged: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  checks: fc.constantFrom("none", "hours", "jobs"),
  // Odd ones interleave what happens at the same time.
  seed: fc.nat(1_000_000).map((n) => (n % 5 === 0 ? 2 * n : 2 * n + 1)),
});
type LabPlan = typeof lab extends fc.Arbitrary<infer L> ? L : never;

test("whatever happens, in whatever order, and wherever the process dies: no device has two jobs, no job starts twice, is overtaken, or stays stuck, and each change has its entry", async () => {
  const property = fc.asyncProperty(
    lab,
    fc.array(event, { maxLength: 60, size: "max" }),
    async (plan, events) => {
      const world = await memoryWorld(isRefusal, plan.seed);
      try {
        await playAll({ world, agents: [], started: new Set() }, plan, events);
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

interface Runner {
  token: string;
  device: string;
  isOver: boolean;
  isReported: boolean;
}
interface Agent {
  name: string;
  tokenId: string;
  runners: Map<number, Runner>;
}

interface Play {
  world: MemoryWorld;
  agents: Agent[];
  /** Tokens of the runners that were ever started. */
  started: Set<string>;
}

async function playAll(play: Play, plan: LabPlan, events: readonly Event[]): Promise<void> {
  await setUp(play, plan);
  for (const step of events) {
    const before = await play.world.jobs();
    await play.world.run(() => doStep(play, step));
    await checkLab(play.world);
    if (step.do !== "priority" && step.do !== "together" && step.do !== "race") {
      await requireOrder(play.world, before);
    }
  }
  const found = () => violationsOf(play.world.deps, play.world.admin);
  // There was no tick lately.
  expect((await found()).filter(({ rule }) => rule !== "overdue")).toEqual([]);
  await bringToAnEnd(play);
  expect(await found()).toEqual([]);
  expect(play.world.complaints).toEqual([]);
  expect(play.world.failures).toEqual([]);
}

async function setUp(play: Play, { limits, workers, tagged, checks }: LabPlan): Promise<void> {
  const { deps, admin } = play.world;
  for (const [n, job_limit] of limits.entries()) {
    const { token } = await addWorker(deps, admin, { name: `w${n}`, description: "", job_limit });
    const principal = await authenticate(deps, token);
    if (principal?.kind !== "worker") throw new Error("no worker");
    play.agents.push({ ...principal, runners: new Map() });
  }
  for (const n of [0, 1, 2, 3, 4]) {
    await writeDevice(deps, admin, `d${n}`, {
      device_type: n < 3 ? "t0" : "t1",
      worker: `w${workers[n]}`,
      tags: tagged[n] ? ["usb"] : [],
      description: "",
      comment: "",
      dictionary: "{% extends 'qemu.jinja2' %}\n",
    });
  }
  if (checks !== "none") {
    await putHealthCheck(deps, admin, "qemu", aJob({ name: "check" }));
    for (const type of ["t0", "t1"]) {
      await putDeviceType(deps, admin, type, {
        description: "",
        display: true,
        health_frequency: 2,
        health_denominator: checks === "jobs" ? "jobs" : "hours",
        health_disabled: false,
      });
    }
  }
  for (const agent of play.agents) await syncAgent(play, agent);
  await play.world.settled();
}

async function doStep(play: Play, step: Event): Promise<void> {
  const { deps, admin, crashes } = play.world;
  switch (step.do) {
    case "submit": {
      const lines = [`priority: ${step.priority * 10}`];
      if (step.isTagged) lines.push("tags: [usb]");
      if (step.pin !== "") lines.push(step.pin);
      if (step.isRetried) lines.push("retry_on: infrastructure");
      await submitJob(deps, admin, aJob({ deviceType: `t${step.type}`, lines }));
      return;
    }
    case "sync":
      return syncAgent(play, play.agents[step.agent]!, step.isTwice);
    case "end":
      return endRunner(play, play.agents[step.agent]!, step);
    case "cancel":
      await cancelJob(deps, admin, await unfinished(play, step.nth));
      return;
    case "priority":
      await setPriority(deps, admin, await unfinished(play, step.nth), { priority: step.priority });
      return;
    case "health":
      await setDeviceHealth(deps, admin, `d${step.device}`, { health: step.health });
      return;
    case "check":
      await forceHealthCheck(deps, admin, `d${step.device}`);
      return;
    case "worker":
      await setWorkerHealth(deps, admin, `w${step.worker}`, { health: step.health });
      return;
    case "time":
      return play.world.pass(step.seconds);
    case "tick":
      return tick(deps);
    case "repair":
      return repair(play);
    case "passes": {
      const types = Array.from({ length: step.n }, (_, n) => `t${n % 2}`);
      await Promise.all([...types, "t0"].map((type) => schedulePass(deps, type)));
      return;
    }
    case "together":
      return together(play, step.steps);
    case "race":
      return race(play, step);
    case "lose runners": {
      const { runners } = play.agents[step.agent]!;
      for (const [id, { isReported }] of runners) if (isReported) runners.delete(id);
      return;
    }
    case "crash":
      crashes.plan(step.nth, step.when);
  }
}

/** Somebody looks after the lab: what is out of order is in order again, but a device that is Unknown. */
async function repair({ world }: Play): Promise<void> {
  const { deps, admin } = world;
  for (const { name, health: now } of await world.workers()) {
    if (now !== "Active") await setWorkerHealth(deps, admin, name, { health: "Active" });
  }
  for (const { hostname, health: now } of await world.devices()) {
    if (now === "Good" || now === "Unknown") continue;
    await setDeviceHealth(deps, admin, hostname, { health: "Good" });
  }
}

/** The id of one of the jobs that are not Finished. */
async function unfinished({ world }: Play, nth: number): Promise<number> {
  const jobs = (await world.jobs()).filter(({ state }) => state !== "Finished");
  return jobs[nth % Math.max(1, jobs.length)]?.id ?? 1;
}

/** At the same time, but for what one agent does, which does one thing after the other. */
async function together(play: Play, steps: readonly Event[]): Promise<void> {
  const lines = new Map<unknown, Promise<unknown>>();
  for (const [n, step] of steps.entries()) {
    const line = "agent" in step ? `agent ${step.agent}` : n;
    const before = lines.get(line) ?? Promise.resolve();
    lines.set(
      line,
      before.then(() => turns((n * 17) % 60)).then(() => doStep(play, step)),
    );
  }
  const ends = await Promise.allSettled(lines.values());
  const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
  const worst = errors.find((error) => !isRefusal(error)) ?? errors[0];
  if (worst !== undefined) throw worst;
}

async function race(play: Play, step: Extract<Event, { do: "race" }>): Promise<void> {
  const { world } = play;
  const { deps, admin } = world;
  // There is something to be raced for.
  await repair(play);
  await world.settled();
  const type = `t${step.type}`;
  const { job_ids } = await submitJob(deps, admin, aJob({ deviceType: type }));
  await turns(step.turns);
  if (step.against === "cancel") await cancelJob(deps, admin, job_ids[0] ?? 0);
  if (step.against === "pass") await schedulePass(deps, type);
  if (step.against === "worker")
    await setWorkerHealth(deps, admin, "w0", { health: "Maintenance" });
  if (step.against !== "health") return;
  for (const { hostname, device_type } of await world.devices()) {
    if (device_type !== type) continue;
    await setDeviceHealth(deps, admin, hostname, { health: step.health });
  }
}

/** As an agent does: reports its runners; starts, stops and forgets what it is told to, if the answer comes. */
async function syncAgent(play: Play, agent: Agent, isTwice = false): Promise<void> {
  const { deps } = play.world;
  const { runners, name, tokenId } = agent;
  const reports = [...runners].map(([job_id, { isOver }]) => ({
    job_id,
    state: isOver ? ("finished" as const) : ("running" as const),
  }));
  const request = { protocol: 1, version: "test", runners: reports, wait_seconds: 0 };
  const principal = { kind: "worker", name, tokenId } as const;
  // The answer to the first got lost.
  if (isTwice) await sync(deps, principal, request);
  const answer = await sync(deps, principal, request);
  for (const { job_id } of reports) {
    const runner = runners.get(job_id);
    if (runner) runner.isReported = true;
  }
  for (const id of answer.forget) runners.delete(id);
  for (const id of answer.cancel) {
    const runner = runners.get(id);
    if (runner) runner.isOver = true;
  }
  for (const { job_id, token } of answer.lost) {
    const end = { result: "fail", error_type: "Infrastructure", lines: 0 } as const;
    const job = await authenticate(deps, token);
    if (job) await finishJob(deps, job, job_id, end);
  }
  for (const { job_id, token, device_hostname: device } of answer.start) {
    expect(play.started.has(token)).toBe(false);
    play.started.add(token);
    expect(runners.has(job_id)).toBe(false);
    const busy = play.agents.flatMap((one) => [...one.runners.values()]);
    expect(busy.filter(({ isOver }) => !isOver).map((one) => one.device)).not.toContain(device);
    runners.set(job_id, { token, device, isOver: false, isReported: false });
  }
  if (answer.start.length > 0) await syncAgent(play, agent);
}

async function endRunner(
  play: Play,
  { runners }: Agent,
  { nth, result, isTwice }: { nth: number; result: string; isTwice: boolean },
): Promise<void> {
  const { deps } = play.world;
  const [id, runner] = [...runners][nth] ?? [];
  if (id === undefined || !runner) return;
  runner.isOver = true;
  const outcome =
    result === "pass"
      ? ({ result: "pass", lines: 0 } as const)
      : ({ result: "fail", error_type: result as "Test", lines: 0 } as const);
  for (const _ of isTwice ? [1, 2] : [1]) {
    const job = await authenticate(deps, runner.token);
    if (job) await finishJob(deps, job, id, outcome);
  }
  runners.delete(id);
}

async function bringToAnEnd(play: Play): Promise<void> {
  play.world.crashes.plan(Infinity, "before");
  for (let round = 0; round < 100; round++) {
    // Of a health check that was canceled the device gets Bad only now.
    await play.world.run(() => repair(play));
    for (const agent of play.agents) {
      await play.world.run(() => syncAgent(play, agent));
      for (const _ of [...agent.runners]) {
        await play.world.run(() =>
          endRunner(play, agent, { nth: 0, result: "pass", isTwice: false }),
        );
      }
    }
    await checkLab(play.world);
    if ((await play.world.jobs()).every(({ state }) => state === "Finished")) break;
  }
  const jobs = await play.world.jobs();
  expect(jobs.filter(({ state }) => state !== "Finished").map(({ id }) => id)).toEqual([]);
  for (const agent of play.agents) {
    for (const _ of [1, 2, 3]) await play.world.run(() => syncAgent(play, agent));
  }
  expect((await play.world.devices()).filter(({ state }) => state !== "Idle")).toEqual([]);
}
