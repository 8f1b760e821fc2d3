import { TableConflict, type Item, type Operation } from "../ports/table.ts";
import {
  prepareJobs,
  scheduledNow,
  type Beginning,
  type Planned,
  type Prepared,
} from "./begin-group.ts";
import { jobChange, LAB } from "./changes.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { announceFree, freeDevice } from "./end-job.ts";
import { findGroup, groupItem, type GroupPhase, type GroupRecord } from "./group-record.ts";
import { MOST_AT_ONCE, PHASE_MS } from "./in-parts.ts";
import { findJobItem, jobItem, type JobRecord } from "./job-record.ts";
import type { PassFacts } from "./pass-facts.ts";
import { slotsIn } from "./quotas.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";

/**
 * Begins a group that is too large for one transaction. Its jobs get their devices some at a time, in state Scheduling: nobody else
 * gets those devices, and no worker is told of the jobs. One last write, of the group's record alone and only while all of its jobs
 * are as they were left, makes the group begun; only from then on are the jobs Scheduled. Where a device is not to be had after
 * all, everything is given back at once: no group waits while it has something, so none waits for another.
 */
export async function reserveGroup(
  deps: Deps,
  passed: PassFacts,
  group: Item<GroupRecord>,
  planned: Planned,
  { ofJobs, workers }: Prepared,
): Promise<Beginning> {
  const { jobs, claim, devices } = planned;
  const hostnames = [...devices.values()].map(({ data }) => data.hostname);
  const until = new Date(deps.system.now() + PHASE_MS).toISOString();
  // A conflict: another pass is at it.
  await writePhase(deps, group, { name: "reserving", until, devices: hostnames });
  const reserving = { ...group, version: group.version + 1 };
  const isUnchanged: Operation = { check: group.key, when: { version: reserving.version } };

  // A worker may be written beside each job.
  const longest = Math.max(...ofJobs.map(({ length }) => length)) + 1;
  const size = Math.max(1, Math.floor((MOST_AT_ONCE - 1) / longest));
  try {
    for (let first = 0; first < jobs.length; first += size) {
      const some = { ...planned, jobs: jobs.slice(first, first + size) };
      const prepared = await prepareJobs(deps, passed, some, "Scheduling");
      if (!prepared) throw new TableConflict("a device is not to be had");
      const operations = [...prepared.ofJobs.flat(), ...prepared.ofWorkers, isUnchanged];
      await deps.table.transact(operations);
    }
    const areUnchanged = jobs.map(({ key, version }): Operation => {
      return { check: key, when: { version: version + 1 } };
    });
    const now = new Date(deps.system.now()).toISOString();
    await writePhase(deps, reserving, { name: "begun", until: now }, areUnchanged);
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
    await releaseGroup(deps, group.data.id);
    return "changed";
  }
  await scheduleAll(deps, group.data.id);
  await claim.done();
  for (const worker of workers) await deps.signals.ring(`worker/${worker}`);
  return "begun";
}

/** Ends what a crash has cut short of a group that is reserving or has begun; with what is not due yet somebody may be at it. */
export async function resumeGroup(deps: Deps, id: string): Promise<void> {
  const phase = (await findGroup(deps, id))?.data.phase;
  if (!phase || !isDue(deps, phase)) return;
  if (phase.name === "begun") await scheduleAll(deps, id);
  else if (phase.name === "reserving" || phase.name === "releasing") await releaseGroup(deps, id);
  else await (await import("./form-group.ts")).unmakeGroup(deps, id);
}

/** Whether nobody is at it any more. */
export const isDue = ({ system }: Deps, { until }: GroupPhase): boolean =>
  Date.parse(until) <= system.now();

/** From here there is no way back: each job is Scheduled, unless somebody has canceled it. */
async function scheduleAll(deps: Deps, id: string): Promise<void> {
  const workers = new Set<string>();
  await eachMember(deps, id, "begun", async ({ data: job, version }) => {
    const after = scheduledNow(job);
    await deps.table.transact([
      { put: jobItem(after), when: { version } },
      ...jobChange(deps, job, after, { who: LAB }),
    ]);
    workers.add(job.worker ?? "");
    await deps.signals.ring(`job/${job.id}`);
  });
  await endPhase(deps, id, "begun");
  for (const worker of workers) await deps.signals.ring(`worker/${worker}`);
}

/** Gives back all that a group has reserved: its jobs are in the queue as before. */
async function releaseGroup(deps: Deps, id: string): Promise<void> {
  const isReleasing = await retrying(async () => {
    const group = await findGroup(deps, id);
    const name = group?.data.phase?.name;
    if (!group || (name !== "reserving" && name !== "releasing")) return false;
    // From now on whoever was reserving is stopped.
    const now = new Date(deps.system.now()).toISOString();
    if (name === "reserving") await writePhase(deps, group, { name: "releasing", until: now });
    return true;
  });
  if (!isReleasing) return;
  const types = new Set<string>();
  const freed = new Map<string, DeviceRecord>();
  await eachMember(deps, id, "releasing", async ({ data: job, version }) => {
    const after = waitingAgain(job);
    const { operations, device } = await freeDevice(deps, job);
    await deps.table.transact([
      { put: jobItem(after), when: { version } },
      ...jobChange(deps, job, after, { who: LAB, reason: "its group lacks a device after all" }),
      ...operations,
    ]);
    types.add(job.device_type);
    if (device) freed.set(device.worker, device);
  });
  await endPhase(deps, id, "releasing");
  for (const type of types) await deps.signals.requestPass(type);
  for (const [worker, device] of freed) await announceFree(deps, { device, worker });
}

/** A job that was being given a device, as it was in the queue. */
export function waitingAgain(job: JobRecord): JobRecord {
  const rest = without(job, "token_nonce", "token_hash", "device", "worker", "charged");
  const waiting: JobRecord = { ...rest, state: "Submitted" };
  return { ...without(waiting, "quota_slots"), ...slotsIn(waiting) };
}

/** Does something about each job of a group that is Scheduling, while the group is in a phase. */
async function eachMember(
  deps: Deps,
  id: string,
  phase: GroupPhase["name"],
  change: (job: Item<JobRecord>) => Promise<void>,
): Promise<void> {
  const group = await findGroup(deps, id);
  if (group?.data.phase?.name !== phase) return;
  for (const { job_id } of group.data.members) {
    await retrying(async () => {
      const job = await findJobItem(deps, job_id);
      if (job?.data.state === "Scheduling") await change(job);
    });
  }
}

async function endPhase(deps: Deps, id: string, name: GroupPhase["name"]): Promise<void> {
  await retrying(async () => {
    const group = await findGroup(deps, id);
    if (group?.data.phase?.name === name) await writePhase(deps, group, undefined);
  });
}

/** Throws `TableConflict`. */
function writePhase(
  deps: Deps,
  { data, version }: Item<GroupRecord>,
  phase: GroupPhase | undefined,
  also: readonly Operation[] = [],
): Promise<void> {
  const after: GroupRecord = { ...without(data, "phase"), ...(phase ? { phase } : {}) };
  return deps.table.transact([{ put: groupItem(after), when: { version } }, ...also]);
}
