import { expect, test } from "vitest";
import type { DeviceView, JobList } from "#protocol/api.ts";
import type { RunnerReport } from "#protocol/worker-api.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";
import { isOnAws } from "../support/test-engine.ts";
import { violationsOf } from "../support/violations-of.ts";

const RETRIED = aJob({ lines: ["retry_on: infrastructure"] });
const DEAD_BOARD = { result: "fail", error_type: "Infrastructure", error_msg: "gone" } as const;

const event = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("submit" as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("sync" as const), agent: fc.nat(1) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("end" as const),
      agent: fc.nat(1),
      nth: fc.nat(2),
      isSpoilt: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), nth: fc.nat(4) }) },
  // One agent is not heard of, while the other goes on.
  { weight: 1, arbitrary: fc.record({ do: fc.constant("silence" as const), agent: fc.nat(1) }) },
);

test("whatever happens, a job has two attempts at most, a worker no two runners of it, a device no two jobs; all of them end", async () => {
  const property = fc.asyncProperty(fc.array(event, { maxLength: 40 }), async (events) => {
    const world = await embeddedLab({ jobLeaseSeconds: 600 });
    try {
      await play(world, events);
      expect(await violationsOf(world.deps, world.admin)).toEqual([]);
    } finally {
      await world.close();
    }
  });
  await expect(fc.assert(property, { numRuns: isOnAws ? 5 : 25 })).resolves.toBeUndefined();
});

interface Agent {
  token: string;
  runners: Map<number, { token: string; device: string; state: RunnerReport["state"] }>;
}

async function play(
  world: EmbeddedLab,
  events: (typeof event extends fc.Arbitrary<infer E> ? E : never)[],
): Promise<void> {
  const agents: Agent[] = [];
  for (const name of ["w0", "w1"]) {
    agents.push({ token: await world.addWorker(name), runners: new Map() });
  }
  for (const n of [0, 1, 2]) await world.addDevice(`d${n}`, { worker: n === 0 ? "w0" : "w1" });
  for (const step of events) {
    if (step.do === "submit") await world.submit(RETRIED);
    if (step.do === "sync") await sync(world, agents[step.agent]!);
    if (step.do === "end") await end(world, agents[step.agent]!, step.nth, step.isSpoilt);
    if (step.do === "cancel") {
      await world.request(`/jobs/${step.nth + 1}/cancel`, { method: "POST" });
    }
    if (step.do === "silence") {
      world.pass(500);
      await sync(world, agents[1 - step.agent]!);
      world.pass(200);
      await tick(world.deps);
    }
    await world.settled();
    await check(world, agents);
  }
  for (let round = 0; round < 60; round++) {
    for (const agent of agents) {
      await sync(world, agent);
      await end(world, agent, 0, round % 3 === 0);
    }
    const { jobs } = await world.api<JobList>("/jobs?limit=200");
    if (jobs.every(({ state }) => state === "Finished")) break;
  }
  for (const agent of agents) for (const _ of [1, 2, 3]) await sync(world, agent);
  const { jobs } = await world.api<JobList>("/jobs?limit=200");
  expect(jobs.filter(({ state }) => state !== "Finished")).toEqual([]);
  for (const name of ["d0", "d1", "d2"]) {
    const { state, current_job } = await world.api<DeviceView>(`/devices/${name}`);
    expect([name, state, current_job]).toEqual([name, "Idle", undefined]);
  }
}

/** As an agent does: reports its runners, starts, stops and forgets what it is told to. */
async function sync(world: EmbeddedLab, { token, runners }: Agent): Promise<void> {
  const reports = [...runners].map(([job_id, { state }]) => ({ job_id, state }));
  const answer = await world.sync(token, reports);
  expect(answer.lost).toEqual([]);
  for (const id of answer.forget) runners.delete(id);
  for (const id of answer.cancel) runners.get(id)!.state = "finished";
  for (const { job_id, token: given, device_hostname: device } of answer.start) {
    expect(runners.has(job_id)).toBe(false);
    expect([...runners.values()].map((runner) => runner.device)).not.toContain(device);
    runners.set(job_id, { token: given, device, state: "running" });
  }
  if (answer.start.length > 0) await sync(world, { token, runners });
}

/** A runner ends; when its end is taken, or nobody wants it, its files go with the next answer or at once. */
async function end(world: EmbeddedLab, { runners }: Agent, nth: number, isSpoilt: boolean) {
  const [id, runner] = [...runners][nth] ?? [];
  if (id === undefined || !runner) return;
  runner.state = "finished";
  const outcome = isSpoilt ? DEAD_BOARD : ({ result: "pass" } as const);
  const { status } = await world.finish(id, runner.token, { ...outcome, lines: 0 });
  expect([200, 401]).toContain(status);
  if (status === 200 && id % 2 === 0) runners.delete(id);
}

async function check(world: EmbeddedLab, agents: Agent[]): Promise<void> {
  const { jobs } = await world.api<JobList>("/jobs?limit=200");
  for (const { attempt = 1 } of jobs) expect(attempt).toBeLessThanOrEqual(2);
  const holding = jobs.filter(({ state }) => ["Scheduled", "Running", "Canceling"].includes(state));
  const claims = holding.map(({ device }) => device);
  expect(new Set(claims).size).toBe(claims.length);
  for (const { id, device } of holding) {
    expect((await world.api<DeviceView>(`/devices/${device}`)).current_job).toBe(id);
  }
  const tokens = agents.flatMap(({ runners }) => [...runners.values()].map((one) => one.token));
  expect(new Set(tokens).size).toBe(tokens.length);
}
