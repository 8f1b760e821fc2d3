import { expect } from "vitest";
import type { DeviceRecord } from "../../control-plane/domain/device-record.ts";
import type { JobRecord } from "../../control-plane/domain/job-record.ts";
import { passFacts, withWorker } from "../../control-plane/domain/pass-facts.ts";
import { obstacle, suits } from "../../control-plane/domain/suits.ts";
import { readAssignments } from "../../control-plane/domain/worker-record.ts";
import type { MemoryWorld } from "./memory-world.ts";

/** Jobs, devices and workers agree on who has what, and nobody waits in vain; for labs without groups. */
export async function checkLab(world: MemoryWorld): Promise<void> {
  await checkHolders(world);
  await requireNobodyWaitsInVain(world, await world.jobs(), await world.devices());
}

/** Jobs, devices and workers agree on who has what. */
export async function checkHolders(world: MemoryWorld): Promise<void> {
  const { deps } = world;
  const [jobs, devices] = [await world.jobs(), await world.devices()];
  const holders = new Map<string, number[]>();
  const add = (device: string | undefined, id: number) => {
    if (device !== undefined) holders.set(device, [...(holders.get(device) ?? []), id]);
  };
  for (const job of jobs) {
    if (isActive(job) || job.taken_back) add(job.device, job.id);
    if (job.left) add(job.left.device, job.id);
  }
  for (const { hostname, state, current_job } of devices) {
    const ids = holders.get(hostname) ?? [];
    expect([hostname, ids]).toEqual([hostname, current_job === undefined ? [] : [current_job]]);
    expect([hostname, state === "Idle"]).toEqual([hostname, ids.length === 0]);
  }
  for (const { name, job_limit } of await world.workers()) {
    const { jobIds } = await readAssignments(deps, name);
    const there = jobs.filter(
      (job) =>
        ((isActive(job) || job.taken_back) && job.worker === name) || job.left?.worker === name,
    );
    expect([name, inOrder(jobIds)]).toEqual([name, inOrder(there.map(({ id }) => id))]);
    if (job_limit > 0) expect(there.filter(isActive).length).toBeLessThanOrEqual(job_limit);
  }
}

/** No job waits while it could have a device, and no device waits to be looked at while it could have its health check. */
async function requireNobodyWaitsInVain(
  world: MemoryWorld,
  jobs: readonly JobRecord[],
  devices: readonly DeviceRecord[],
): Promise<void> {
  const { deps } = world;
  const passed = passFacts(deps);
  for (const device of devices.filter(({ state }) => state === "Idle")) {
    for (const job of jobs.filter(({ state }) => state === "Submitted")) {
      const { facts } = await withWorker(deps, await passed.forJob(job), device);
      const found = obstacle(job, device, facts)?.code;
      const told = [job.id, device.hostname, found];
      expect(told).toEqual([job.id, device.hostname, expect.any(String)]);
      if (found !== "health check") continue;
      const { bars } = obstacle({ ...job, tags: [], health_check: true }, device, facts) ?? {};
      expect([...told, bars]).toEqual([...told, expect.stringMatching(/worker|pair/)]);
    }
  }
}

/** Nobody who waited before a step still waits after it while somebody less urgent got a device that would have suited. */
export async function requireOrder(
  world: MemoryWorld,
  before: readonly JobRecord[],
): Promise<void> {
  const now = new Map((await world.jobs()).map((job) => [job.id, job]));
  const waited = before.filter(({ state }) => state === "Submitted");
  const devices = new Map((await world.devices()).map((one) => [one.hostname, one]));
  for (const { id } of waited) {
    const served = now.get(id);
    const device = devices.get(served?.device ?? "");
    if (served?.state !== "Scheduled" || !device) continue;
    const overtaken = waited.filter(
      (other) =>
        now.get(other.id)?.state === "Submitted" &&
        (now.get(other.id)?.attempt ?? 1) === (other.attempt ?? 1) &&
        suits(other, device) &&
        other.left === undefined &&
        (other.priority > served.priority ||
          (other.priority === served.priority && other.id < served.id)),
    );
    expect([id, overtaken.map((other) => other.id)]).toEqual([id, []]);
  }
}

const isActive = ({ state }: JobRecord): boolean =>
  state === "Scheduled" || state === "Running" || state === "Canceling";

const inOrder = (ids: readonly number[]): number[] => ids.toSorted((a, b) => a - b);
