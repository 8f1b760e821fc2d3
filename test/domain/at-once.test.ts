import { expect, test, vi } from "vitest";
import { setDeviceHealth, writeDevice } from "../../control-plane/domain/devices.ts";
import { putHealthCheck } from "../../control-plane/domain/health-checks.ts";
import { cancelJob } from "../../control-plane/domain/jobs.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { submitJob } from "../../control-plane/domain/submit-job.ts";
import { sync } from "../../control-plane/domain/sync.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { addWorker } from "../../control-plane/domain/workers.ts";
import { aJob } from "../support/builders.ts";
import { aGroupJob } from "../support/group-job.ts";
import { memoryWorld, turns, type MemoryWorld } from "../support/memory-world.ts";
import { checkHolders, checkLab } from "../support/scheduler-checks.ts";

/** Odd seeds interleave what happens at the same time. */
const SEEDS = Array.from({ length: 60 }, (_, n) => 2 * n + 1);

const LONG_MS = 120_000;

/** How many operations a transaction has place for. */
const place = vi.hoisted(() => ({ operations: 100 }));
vi.mock(import("../../control-plane/domain/in-parts.ts"), async (original) => {
  const real = await original();
  return {
    ...real,
    get MOST_AT_ONCE() {
      return place.operations;
    },
  };
});

/** What is about to begin on device `d0`, or on `d0` and `d1`. */
interface Beginning {
  job?: string;
  hostnames: string[];
  hasCheck?: boolean;
  operations?: number;
  /** Within how many turns something else comes. */
  span: number;
}

const job: Beginning = { job: aJob(), hostnames: ["d0"], span: 90 };
const check: Beginning = { hostnames: ["d0"], hasCheck: true, span: 90 };
const group: Beginning = { job: aGroupJob(), hostnames: ["d0", "d1"], span: 180 };
const groupInParts: Beginning = { ...group, operations: 9, span: 450 };

/** An Online worker with Good devices that nobody has been told of, and what waits for them. */
async function waitingWorld(seed: number, waiting: Beginning): Promise<MemoryWorld> {
  const { hostnames, hasCheck = false, operations = 100 } = waiting;
  place.operations = operations;
  const world = await memoryWorld(() => false, seed);
  const { deps, admin } = world;
  const { token } = await addWorker(deps, admin, { name: "w", description: "", job_limit: 0 });
  const worker = (await authenticate(deps, token))!;
  if (hasCheck) await putHealthCheck(deps, admin, "qemu", aJob({ name: "check" }));
  for (const hostname of hostnames) {
    await writeDevice(deps, admin, hostname, {
      device_type: "qemu",
      worker: "w",
      tags: [],
      description: "",
      comment: "",
      health: "Maintenance",
      dictionary: "{% extends 'qemu.jinja2' %}\n",
    });
  }
  await sync(deps, worker, { protocol: 1, version: "test", runners: [], wait_seconds: 0 });
  if (waiting.job !== undefined) await submitJob(deps, admin, waiting.job);
  await world.settled();
  const health = hasCheck ? "Unknown" : "Good";
  for (const name of hostnames) await setDeviceHealth(deps, admin, name, { health });
  return world;
}

interface Outcome {
  /** Of the jobs, each once. */
  states: string[];
  /** Of `d0`. */
  health: string;
}

async function outcomes(
  waiting: Beginning,
  other: (world: MemoryWorld) => Promise<unknown>,
): Promise<Outcome[]> {
  const seen: Outcome[] = [];
  for (const seed of SEEDS) {
    const world = await waitingWorld(seed, waiting);
    const late = turns((seed * 7) % waiting.span).then(() => other(world));
    await Promise.all([schedulePass(world.deps, "qemu"), late]);
    await world.settled();
    await (waiting.hostnames.length > 1 ? checkHolders : checkLab)(world);
    expect(world.complaints).toEqual([]);
    expect(world.failures).toEqual([]);
    const [device] = await world.devices();
    const states = new Set((await world.jobs()).map(({ state }) => state));
    seen.push({ states: [...states], health: device?.health ?? "" });
    world.close();
  }
  return seen;
}

const statesOf = (seen: Outcome[]) => new Set(seen.flatMap(({ states }) => states));
const cancel = ({ deps, admin }: MemoryWorld) => cancelJob(deps, admin, 1);
const setAside = ({ deps, admin }: MemoryWorld) =>
  setDeviceHealth(deps, admin, "d0", { health: "Maintenance" });

test("a job that is canceled while a pass gives it a device never starts, whoever comes first", async () => {
  expect(statesOf(await outcomes(job, cancel))).toEqual(new Set(["Finished", "Canceling"]));
});

test("a health that is set while a pass gives the device away is not forgotten", async () => {
  const seen = await outcomes(job, setAside);
  expect(seen.filter(({ health }) => health !== "Maintenance")).toEqual([]);
  expect(statesOf(seen)).toEqual(new Set(["Submitted", "Scheduled"]));
});

test("a health that is set while a pass starts the device's health check is not forgotten", async () => {
  const seen = await outcomes(check, setAside);
  expect(seen.filter(({ health }) => health !== "Maintenance")).toEqual([]);
  expect(new Set(seen.map(({ states }) => states.join()))).toEqual(new Set(["", "Scheduled"]));
});

test.each([
  ["in one transaction", group],
  ["in parts", groupInParts],
])(
  "a group that is canceled while it begins %s never starts",
  async (_how, waiting) => {
    expect(statesOf(await outcomes(waiting, cancel))).toEqual(new Set(["Finished", "Canceling"]));
  },
  LONG_MS,
);

test.each([
  ["in one transaction", group],
  ["in parts", groupInParts],
])(
  "a health that is set while a group begins %s is not forgotten",
  async (_how, waiting) => {
    const seen = await outcomes(waiting, setAside);
    expect(seen.filter(({ health }) => health !== "Maintenance")).toEqual([]);
    // All of the group or nothing of it.
    expect(new Set(seen.map(({ states }) => states.join()))).toEqual(
      new Set(["Submitted", "Scheduled"]),
    );
  },
  LONG_MS,
);
