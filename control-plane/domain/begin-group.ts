import { TableConflict, type Item, type Operation } from "../ports/table.ts";
import { deviceChange, jobChange, LAB } from "./changes.ts";
import type { Claim } from "./claims.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { findGroup } from "./group-record.ts";
import { findJobItem, jobItem, type JobRecord } from "./job-record.ts";
import { MOST_AT_ONCE } from "./in-parts.ts";
import { jobToken } from "./job-token.ts";
import { deviceKey } from "./keys.ts";
import { withWorker, type PassFacts } from "./pass-facts.ts";
import { slotsIn } from "./quotas.ts";
import { checkBefore, startCheck } from "./schedule-checks.ts";
import { obstacle } from "./suits.ts";
import { usableText } from "./usable-device.ts";
import { without } from "./without.ts";

/** A job and the device that it is to have. */
export interface Pair {
  readonly jobId: number;
  readonly hostname: string;
}

/** What became of it. `changed`: one of the devices can't be had after all, or somebody was quicker; `barred`: by a quota. */
export type Beginning = "begun" | "gone" | "changed" | "barred";

/** What a group begins with. */
export interface Planned {
  readonly jobs: readonly Item<JobRecord>[];
  /** By the id of the job that is to have it. */
  readonly devices: ReadonlyMap<number, Item<DeviceRecord>>;
  readonly claim: Claim;
}

/**
 * Gives each job of a group its device, looking at all of them again, and the jobs that have none the worker of their host: all of
 * the group begins or nothing of it. In one transaction, if it is small enough, else as `reserveGroup` does.
 */
export async function beginGroup(
  deps: Deps,
  passed: PassFacts,
  groupId: string,
  pairs: readonly Pair[],
): Promise<Beginning> {
  const group = await findGroup(deps, groupId);
  if (!group) return "gone";
  const jobs: Item<JobRecord>[] = [];
  for (const { job_id } of group.data.members) {
    const item = await findJobItem(deps, job_id);
    if (item?.data.state !== "Submitted") return "gone";
    jobs.push(item);
  }
  const devices = new Map<number, Item<DeviceRecord>>();
  for (const { jobId, hostname } of pairs) {
    const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    if (!device) return "changed";
    devices.set(jobId, device);
  }
  try {
    const claim = await passed.claims.claim(jobs.map(({ data }) => data));
    if ("bars" in claim) return "barred";
    const planned: Planned = { jobs, devices, claim };
    const prepared = await prepareJobs(deps, passed, planned, "Scheduled");
    if (!prepared) return "changed";
    const operations = [...prepared.ofJobs.flat(), ...prepared.ofWorkers];
    if (operations.length > MOST_AT_ONCE) {
      const { reserveGroup } = await import("./reserve-group.ts");
      return await reserveGroup(deps, passed, group, planned, prepared);
    }
    await deps.table.transact(operations);
    await claim.done();
    for (const worker of prepared.workers) await deps.signals.ring(`worker/${worker}`);
    for (const { data } of jobs) await deps.signals.ring(`job/${data.id}`);
    return "begun";
  } catch (error) {
    if (error instanceof TableConflict) return "changed";
    throw error;
  }
}

/** What is to be written. */
export interface Prepared {
  /** Of each job and its device. */
  readonly ofJobs: readonly Operation[][];
  readonly ofWorkers: readonly Operation[];
  readonly workers: readonly string[];
}

/** What is to be written of some jobs of a group; undefined when a device is not to be had. Throws `TableConflict`. */
export async function prepareJobs(
  deps: Deps,
  passed: PassFacts,
  { jobs, devices, claim }: Planned,
  state: "Scheduling" | "Scheduled",
): Promise<Prepared | undefined> {
  const ofJobs: Operation[][] = [];
  const workers = new Map<
    string,
    Awaited<ReturnType<typeof withWorker>> & { more: number[]; devices: number }
  >();
  for (const job of jobs) {
    const device = devices.get(job.data.host_job ?? job.data.id);
    if (!device) return undefined;
    const { worker } = device.data;
    const facts = await passed.forJob(job.data);
    const known = workers.get(worker) ?? {
      ...(await withWorker(deps, facts, device.data)),
      more: [],
      devices: 0,
    };
    workers.set(worker, known);
    // One that runs beside its host needs no place of its own to begin.
    if (job.data.host_job === undefined) {
      const jobsOfWorker = known.jobIds.length + known.devices++;
      const now = { ...facts, worker: known.facts.worker, jobsOfWorker };
      if (obstacle(job.data, device.data, now)) return undefined;
      if (!(await isReady(deps, passed, device))) return undefined;
    }
    known.more.push(job.data.id);
    ofJobs.push(assignment(deps, job, device, { claim, state }));
  }
  const ofWorkers = [...workers.values()].map(({ jobIds, more, replace }) =>
    replace([...jobIds, ...more]),
  );
  return { ofJobs, ofWorkers, workers: [...workers.keys()] };
}

/** Whether a device's configuration is of use and no health check comes first; else it is Bad, or has its check, from now on. */
async function isReady(
  deps: Deps,
  passed: PassFacts,
  device: Item<DeviceRecord>,
): Promise<boolean> {
  const text = await usableText(deps, device);
  if (!text) return false;
  const check = await checkBefore(deps, device.data, text, passed);
  if (check) await startCheck(deps, device, check);
  return check === undefined;
}

function assignment(
  deps: Deps,
  { data: job, version }: Item<JobRecord>,
  device: Item<DeviceRecord>,
  { claim, state }: { claim: Claim; state: "Scheduling" | "Scheduled" },
): Operation[] {
  const { id, host_job } = job;
  const nonce = deps.system.randomToken();
  const { quota_slots = [], ...taken } = claim.fieldsOf(id);
  const slots = [...(job.quota_slots ?? []), ...quota_slots];
  const reservedJob: JobRecord = {
    ...job,
    ...taken,
    // As long as it can come back to the queue it keeps its place there.
    ...(slots.length === 0 ? {} : { quota_slots: slots }),
    state: "Scheduling",
    worker: device.data.worker,
    token_nonce: nonce,
    token_hash: deps.system.hash(jobToken(deps, { id, token_nonce: nonce })),
    ...(host_job === undefined ? { device: device.data.hostname } : {}),
  };
  const after = state === "Scheduling" ? reservedJob : scheduledNow(reservedJob);
  const ofJob: Operation[] = [
    { put: jobItem(after), when: { version } },
    ...jobChange(deps, job, after, { who: LAB }),
    ...claim.operationsOf(id),
  ];
  if (host_job !== undefined) return ofJob;
  const reserved: DeviceRecord = { ...device.data, state: "Reserved", current_job: id };
  return [
    ...ofJob,
    { put: deviceItem(reserved), when: { version: device.version } },
    ...deviceChange(deps, device.data, reserved, { who: LAB, reason: `job ${id}` }),
  ];
}

/** A job that has been given its device with all others of its group. */
export function scheduledNow(job: JobRecord): JobRecord {
  const scheduled: JobRecord = { ...without(job, "queue_deadline"), state: "Scheduled" };
  return { ...without(scheduled, "quota_slots"), ...slotsIn(scheduled) };
}
