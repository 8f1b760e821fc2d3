import { TableConflict, type Item } from "../ports/table.ts";
import { deviceChange, jobChange, LAB } from "./changes.ts";
import { findClosed } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { renderStored } from "./device-texts.ts";
import { faultText } from "./rendered-device.ts";
import { findJobItem, jobItem, type JobRecord } from "./job-record.ts";
import { jobToken } from "./job-token.ts";
import { deviceKey, workerKey } from "./keys.ts";
import { queryFirst } from "./query-all.ts";
import { isLeaving, suits } from "./suits.ts";
import { isSchedulable, readAssignments, type WorkerRecord } from "./worker-record.ts";
import { without } from "./without.ts";

/** How many devices a pass looks at before it leaves the rest to others. */
const MOST_DEVICES = 2000;

/**
 * One scheduling pass (SCHEDULER.md 2.2): the queue of a device type, most urgent first, meets the idle
 * devices of that type; each match is one transaction over job, device and worker. It reads only as much of
 * both lists as it takes until one of them ends. Passes of one type may overlap: a job still gets one device.
 */
export async function schedulePass(deps: Deps, deviceType: string): Promise<void> {
  const idle = idleDevices(deps, deviceType);
  if ((await idle.isEmpty()) || (await findClosed(deps))) return;
  const queue = queryFirst<JobRecord>(deps, "i2", `queue#${deviceType}`);
  for await (const { data: job } of queue) {
    for await (const device of candidates(job, idle.all())) {
      const outcome = await assign(deps, job.id, device.hostname);
      if (outcome === "job is gone") break;
      idle.drop(device, outcome === "worker is gone");
      if (outcome === "assigned") break;
    }
    if (await idle.isEmpty()) return;
  }
}

/** Those that suit a job; the device that its attempt before failed on comes last. */
async function* candidates(
  job: JobRecord,
  devices: AsyncIterable<DeviceRecord>,
): AsyncGenerator<DeviceRecord> {
  let failed: DeviceRecord | undefined;
  for await (const device of devices) {
    if (!suits(job, device) || isLeaving(job, device)) continue;
    if (device.hostname === job.failed_on) failed = device;
    else yield device;
  }
  if (failed) yield failed;
}

/** The idle devices of a type in their order, read when they are asked for. */
function idleDevices(deps: Deps, deviceType: string) {
  const unread = queryFirst<DeviceRecord>(deps, "i3", `idle-devices#${deviceType}`);
  const gone = new Set<string>();
  const read = new Set<DeviceRecord>();
  let seen = 0;

  async function more(): Promise<DeviceRecord | undefined> {
    for (; seen < MOST_DEVICES; seen++) {
      const next = await unread.next();
      if (next.done) return undefined;
      if (gone.has(next.value.data.worker)) continue;
      read.add(next.value.data);
      return next.value.data;
    }
    return undefined;
  }
  return {
    /** Whoever is given a device may drop it, or its whole worker, before the next. */
    async *all(): AsyncGenerator<DeviceRecord> {
      for (const device of read) yield device;
      for (let device = await more(); device; device = await more()) yield device;
    },
    /** The device is taken or of no use; with `andWorker` so are all of its worker. */
    drop(dropped: DeviceRecord, andWorker: boolean): void {
      if (andWorker) gone.add(dropped.worker);
      for (const device of read) {
        if (device === dropped || gone.has(device.worker)) read.delete(device);
      }
    },
    isEmpty: async (): Promise<boolean> => read.size === 0 && !(await more()),
  };
}

type Assignment = "assigned" | "job is gone" | "device is gone" | "worker is gone";

/** Gives a job its device, looking at both again; another writer in between means another look. */
async function assign(deps: Deps, jobId: number, hostname: string): Promise<Assignment> {
  for (;;) {
    const [job, device] = await Promise.all([
      findJobItem(deps, jobId),
      deps.table.get<DeviceRecord>(deviceKey(hostname)),
    ]);
    if (job?.data.state !== "Submitted") return "job is gone";
    if (!device || device.data.state !== "Idle" || !isHealthy(device.data)) return "device is gone";
    if (!suits(job.data, device.data) || isLeaving(job.data, device.data)) return "device is gone";
    const worker = await deps.table.get<WorkerRecord>(workerKey(device.data.worker));
    if (!worker || !isSchedulable(worker.data)) return "worker is gone";
    const { jobIds, replace } = await readAssignments(deps, worker.data.name);
    const { job_limit: limit } = worker.data;
    if (limit > 0 && jobIds.length >= limit) return "worker is gone";
    const fault = await configurationFault(deps, device.data);
    if (fault !== undefined) {
      await setBad(deps, device, fault);
      return "device is gone";
    }

    const nonce = deps.system.randomToken();
    const assigned: JobRecord = {
      ...without(job.data, "queue_deadline"),
      state: "Scheduled",
      device: hostname,
      worker: worker.data.name,
      token_nonce: nonce,
      token_hash: deps.system.hash(jobToken(deps, { id: jobId, token_nonce: nonce })),
    };
    const reserved: DeviceRecord = { ...device.data, state: "Reserved", current_job: jobId };
    try {
      await deps.table.transact([
        { put: jobItem(assigned), when: { version: job.version } },
        { put: deviceItem(reserved), when: { version: device.version } },
        replace([...jobIds, jobId]),
        ...jobChange(deps, job.data, assigned, { who: LAB }),
        ...deviceChange(deps, device.data, reserved, { who: LAB, reason: `job ${jobId}` }),
      ]);
    } catch (error) {
      if (error instanceof TableConflict) continue;
      throw error;
    }
    await deps.signals.ring(`worker/${worker.data.name}`);
    await deps.signals.ring(`job/${jobId}`);
    return "assigned";
  }
}

/** Why a device's configuration is of no use, whatever the job. */
async function configurationFault(deps: Deps, device: DeviceRecord): Promise<string | undefined> {
  const rendered = await renderStored(deps, device);
  const [fault] = rendered?.faults ?? [];
  if (fault) return faultText(fault);
  return rendered ? undefined : "it has none";
}

/** A device whose configuration is invalid gets no job until somebody has looked at it (SCHEDULER.md 1.2). */
async function setBad(
  deps: Deps,
  { data, version }: Item<DeviceRecord>,
  fault: string,
): Promise<void> {
  try {
    const record: DeviceRecord = { ...data, health: "Bad" };
    await deps.table.transact([
      { put: deviceItem(record), when: { version } },
      ...deviceChange(deps, data, record, {
        who: LAB,
        reason: `invalid device configuration: ${fault}`,
      }),
    ]);
  } catch (error) {
    if (error instanceof TableConflict) return;
    throw error;
  }
  deps.system.log("device health set", {
    hostname: data.hostname,
    before: data.health,
    health: "Bad",
    reason: `invalid device configuration: ${fault}`,
  });
}

const isHealthy = ({ health }: DeviceRecord): boolean => health === "Good" || health === "Unknown";
