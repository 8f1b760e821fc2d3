import { expect, test } from "vitest";
import { setDeviceHealth, writeDevice } from "../../control-plane/domain/devices.ts";
import { cancelJob } from "../../control-plane/domain/jobs.ts";
import { schedulePass } from "../../control-plane/domain/schedule.ts";
import { submitJob } from "../../control-plane/domain/submit-job.ts";
import { sync } from "../../control-plane/domain/sync.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { addWorker } from "../../control-plane/domain/workers.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { memoryWorld, turns, type MemoryWorld } from "../support/memory-world.ts";
import { checkLab } from "../support/scheduler-checks.ts";

/** Odd seeds interleave what happens at the same time. */
const SEEDS = Array.from({ length: 60 }, (_, n) => 2 * n + 1);

/** An Online worker with a Good device that nobody has been told of, and a job that waits for it. */
async function waitingWorld(seed: number): Promise<MemoryWorld> {
  const world = await memoryWorld(() => false, seed);
  const { deps, admin } = world;
  const { token } = await addWorker(deps, admin, { name: "w", description: "", job_limit: 0 });
  const worker = (await authenticate(deps, token))!;
  await writeDevice(deps, admin, "d0", {
    device_type: "qemu",
    worker: "w",
    tags: [],
    description: "",
    comment: "",
    health: "Maintenance",
    configuration: aDeviceConfiguration(),
  });
  await sync(deps, worker, { protocol: 1, version: "test", runners: [], wait_seconds: 0 });
  await submitJob(deps, admin, aJob());
  await world.settled();
  await setDeviceHealth(deps, admin, "d0", { health: "Good" });
  return world;
}

async function outcomes(
  other: (world: MemoryWorld) => Promise<unknown>,
): Promise<{ state: string; health: string }[]> {
  const seen: { state: string; health: string }[] = [];
  for (const seed of SEEDS) {
    const world = await waitingWorld(seed);
    const late = turns((seed * 7) % 90).then(() => other(world));
    await Promise.all([schedulePass(world.deps, "qemu"), late]);
    await world.settled();
    await checkLab(world);
    expect(world.complaints).toEqual([]);
    expect(world.failures).toEqual([]);
    const [job] = await world.jobs();
    const [device] = await world.devices();
    seen.push({ state: job?.state ?? "", health: device?.health ?? "" });
    world.close();
  }
  return seen;
}

test("a job that is canceled while a pass gives it a device never starts, whoever comes first", async () => {
  const seen = await outcomes(({ deps, admin }) => cancelJob(deps, admin, 1));
  expect(new Set(seen.map(({ state }) => state))).toEqual(new Set(["Finished", "Canceling"]));
});

test("a health that is set while a pass gives the device away is not forgotten", async () => {
  const seen = await outcomes(({ deps, admin }) =>
    setDeviceHealth(deps, admin, "d0", { health: "Maintenance" }),
  );
  expect(seen.filter(({ health }) => health !== "Maintenance")).toEqual([]);
  expect(new Set(seen.map(({ state }) => state))).toEqual(new Set(["Submitted", "Scheduled"]));
});
