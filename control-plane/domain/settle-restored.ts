import type { Item, Key, StoredItem } from "../ports/table.ts";
import { deviceChange, jobChange, LAB, workerChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { endJob, returnDevice } from "./end-job.ts";
import { findGroup, groupItem, type GroupRecord } from "./group-record.ts";
import { attemptOfPart, isPartOfLog, jobOfPart, kindOf, lineOfPart } from "./item-kinds.ts";
import { attemptOf, findJobItem, jobItem, type JobRecord } from "./job-record.ts";
import { assignmentsKey, attemptKey, deviceKey, workerKey } from "./keys.ts";
import { nowOf } from "./closed-lab.ts";
import { holdsSlot } from "./quotas.ts";
import { waitingAgain } from "./reserve-group.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";
import {
  readAssignments,
  workerItem,
  type Assignments,
  type WorkerRecord,
} from "./worker-record.ts";

/** Why states change here, for histories. */
const RESTORED = "as the lab opens";

/**
 * Makes the items of one page of the table agree with all others, after a restore: a backup reads jobs, devices and workers one after
 * the other while the lab goes on. The jobs are right: a device is held by the job that says so, or by nobody; what a log has
 * beyond its job's lines is dropped. Workers are Offline until they are heard of, and the leases of their jobs begin now.
 * It may be done again from the start at any time, as long as nobody else writes.
 */
export async function settlePage(deps: Deps, cursor?: string): Promise<{ cursor?: string }> {
  const page = await deps.table.scan(cursor);
  const lines = new Map<string, number>();
  for (const item of page.items) {
    if (isPartOfLog(item.key)) await settlePart(deps, item, lines);
    else await settleOne(deps, item);
  }
  return page.cursor === undefined ? {} : { cursor: page.cursor };
}

async function settleOne(deps: Deps, { key, data }: StoredItem): Promise<void> {
  const kind = kindOf(key)?.name;
  if (kind === "job") await settleJob(deps, data as JobRecord);
  if (kind === "device") await settleDevice(deps, (data as DeviceRecord).hostname);
  if (kind === "assignments") await settleAssignments(deps, key.partition.slice("worker#".length));
  if (kind === "quota slot") await settleSlot(deps, key, data as { name: string; job: number });
  if (kind === "multinode group") await settleTornGroup(deps, data as GroupRecord);
  if (kind === "worker") await expectWorker(deps, (data as WorkerRecord).name);
}

/** A chunk that was committed after its job was read is shipped again by the worker, perhaps cut otherwise. */
async function settlePart(
  deps: Deps,
  { key }: StoredItem,
  known: Map<string, number>,
): Promise<void> {
  const [id, attempt] = [jobOfPart(key), attemptOfPart(key)];
  const name = `${id}.${attempt}`;
  const lines = known.get(name) ?? (await linesOf(deps, id, attempt));
  known.set(name, lines);
  if (lineOfPart(key) >= lines) await deps.table.transact([{ delete: key }]);
}

async function linesOf(deps: Deps, id: number, attempt: number): Promise<number> {
  const job = (await findJobItem(deps, id))?.data;
  if (!job || attempt > attemptOf(job)) return 0;
  if (attempt === attemptOf(job)) return job.log_lines;
  const earlier = await deps.table.get<JobRecord>(attemptKey(id, attempt));
  return earlier?.data.log_lines ?? 0;
}

/** Its device is kept for it. */
export const holdsDevice = (job: JobRecord): boolean =>
  job.device !== undefined && isWithWorker(job);

/** One that runs beside its host has no device. */
export const isWithWorker = ({ state, taken_back, worker }: JobRecord): boolean =>
  worker !== undefined &&
  (state === "Scheduled" || state === "Running" || state === "Canceling" || taken_back === true);

async function settleJob(deps: Deps, { id, ...job }: JobRecord): Promise<void> {
  if (job.left) await settleLeft(deps, id);
  if (job.host_job !== undefined) await settleGuest(deps, id);
  if (!holdsDevice({ id, ...job })) return;
  await retrying(async () => {
    const item = await findJobItem(deps, id);
    if (!item || !holdsDevice(item.data)) return;
    const { device: hostname = "", worker: name = "" } = item.data;
    const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    const worker = await deps.table.get(workerKey(name));
    if (!device || !worker) return giveUp(deps, item);
    const { current_job: other = id } = device.data;
    if (other !== id) {
      const rival = await findJobItem(deps, other);
      if (rival && holdsDevice(rival.data) && rival.data.device === hostname) {
        if (isLater(rival.data, item.data)) return giveUp(deps, item);
        await giveUp(deps, rival);
      }
    }
    await hold(deps, item.data);
  });
}

/** One of which the backup has some jobs from before it began and some from after: those wait for ever, so they end. */
async function settleTornGroup(deps: Deps, { id, members }: GroupRecord): Promise<void> {
  await settleReserved(deps, id);
  const items = await Promise.all(members.map(({ job_id }) => findJobItem(deps, job_id)));
  const waiting = items.flatMap((item) => (item?.data.state === "Submitted" ? [item] : []));
  if (waiting.length === members.length) return;
  const error_msg =
    "the group began while the backup was made that this lab was restored from: its beginning is not whole in it";
  for (const item of waiting) {
    await endJob(deps, item, { health: "Canceled", error_msg }, { alone: true });
  }
}

/** What a group was reserving is nobody's: its jobs wait again. One whose jobs were still being written the tick ends. */
async function settleReserved(deps: Deps, id: string): Promise<void> {
  await retrying(async () => {
    const group = await findGroup(deps, id);
    const phase = group?.data.phase?.name;
    if (!group || phase === undefined || phase === "forming" || phase === "unmade") return;
    for (const { job_id } of group.data.members) {
      const job = await findJobItem(deps, job_id);
      if (job?.data.state !== "Scheduling") continue;
      const after = waitingAgain(job.data);
      await deps.table.transact([
        { put: jobItem(after), when: { version: job.version } },
        ...jobChange(deps, job.data, after, { who: LAB, reason: RESTORED }),
      ]);
    }
    await deps.table.transact([{ put: groupItem(without(group.data, "phase")), when: group }]);
  });
}

/** One without a device is its worker's, or nobody's. */
async function settleGuest(deps: Deps, id: number): Promise<void> {
  await retrying(async () => {
    const item = await findJobItem(deps, id);
    if (!item || !isWithWorker(item.data)) return;
    const { worker = "" } = item.data;
    if (!(await deps.table.get(workerKey(worker)))) return giveUp(deps, item);
    const { jobIds, replace } = await readAssignments(deps, worker);
    if (!jobIds.includes(id)) await deps.table.transact([replace([...jobIds, id])]);
  });
}

/** Whom the attempt before has left keeps it among its jobs until it is heard of; a device that went on is not held. */
async function settleLeft(deps: Deps, id: number): Promise<void> {
  await retrying(async () => {
    const item = await findJobItem(deps, id);
    const left = item?.data.left;
    if (!item || !left) return;
    const worker = await deps.table.get(workerKey(left.worker));
    const { jobIds, replace } = await readAssignments(deps, left.worker);
    const device = await deps.table.get<DeviceRecord>(deviceKey(left.device ?? ""));
    const isHeld = device?.data.current_job === id && device.data.worker === left.worker;
    if (!worker) {
      const job = without(item.data, "left");
      await deps.table.transact([{ put: jobItem(job), when: { version: item.version } }]);
    } else if (!jobIds.includes(id) || (left.device !== undefined && !isHeld)) {
      const job = isHeld ? item.data : { ...item.data, left: { worker: left.worker } };
      await deps.table.transact([
        { put: jobItem(job), when: { version: item.version } },
        ...(jobIds.includes(id) ? [] : [replace([...jobIds, id])]),
      ]);
    }
  });
  const left = (await findJobItem(deps, id))?.data.left;
  if (left) await expectWorker(deps, left.worker);
}

async function hold(deps: Deps, { id, state, device = "", worker = "" }: JobRecord): Promise<void> {
  const item = await deps.table.get<DeviceRecord>(deviceKey(device));
  const { jobIds, replace } = await readAssignments(deps, worker);
  if (!item) return;
  const isRight = item.data.current_job === id && item.data.state !== "Idle";
  if (isRight && jobIds.includes(id)) return;
  const held: DeviceRecord = {
    ...item.data,
    current_job: id,
    state: state === "Scheduled" ? "Reserved" : "Running",
  };
  const after = isRight ? item.data : held;
  await deps.table.transact([
    { put: deviceItem(after), when: { version: item.version } },
    ...deviceChange(deps, item.data, after, { who: LAB, reason: RESTORED }),
    ...(jobIds.includes(id) ? [] : [replace([...jobIds, id])]),
  ]);
  // It may have been looked at before, when it had no job.
  if (!jobIds.includes(id)) await expectWorker(deps, worker);
}

/** Of two jobs that hold one device, the one that got it later. */
function isLater(a: JobRecord, b: JobRecord): boolean {
  const at = ({ state, start_time = "" }: JobRecord) => (state === "Scheduled" ? "~" : start_time);
  return at(a) === at(b) ? a.id > b.id : at(a) > at(b);
}

/** The device has gone on to another job, so this one has ended. */
async function giveUp(deps: Deps, item: Item<JobRecord>): Promise<void> {
  if (item.data.state === "Finished") return returnDevice(deps, item);
  await endJob(deps, item, {
    isAssumed: true,
    health: item.data.state === "Canceling" ? "Canceled" : "Incomplete",
    error_type: "Infrastructure",
    error_msg:
      "the job ended while the backup was made that this lab was restored from: its end is not in it",
  });
}

async function settleDevice(deps: Deps, hostname: string): Promise<void> {
  await retrying(async () => {
    const item = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    if (!item) return;
    const { current_job, state } = item.data;
    const job = current_job === undefined ? undefined : await findJobItem(deps, current_job);
    if (job && holdsDevice(job.data) && job.data.device === hostname) return;
    if (job?.data.left?.device === hostname) return;
    if (current_job === undefined && state === "Idle") return;
    const idle: DeviceRecord = {
      ...without(item.data, "current_job"),
      state: "Idle",
      idle_since: nowOf(deps),
    };
    await deps.table.transact([
      { put: deviceItem(idle), when: { version: item.version } },
      ...deviceChange(deps, item.data, idle, { who: LAB, reason: RESTORED }),
    ]);
  });
}

async function settleAssignments(deps: Deps, worker: string): Promise<void> {
  await retrying(async () => {
    const item = await deps.table.get<Assignments>(assignmentsKey(worker));
    if (!item) return;
    const ids: number[] = [];
    for (const id of item.data.job_ids) {
      const job = (await findJobItem(deps, id))?.data;
      const isHere = job && isWithWorker(job) && job.worker === worker;
      if (isHere || job?.left?.worker === worker) ids.push(id);
    }
    if (ids.length === item.data.job_ids.length) return;
    const data: Assignments = { job_ids: ids };
    await deps.table.transact([{ put: { key: item.key, data }, when: { version: item.version } }]);
  });
}

/** A slot of a quota is there while its job has it. */
async function settleSlot(
  deps: Deps,
  key: Key,
  { name, job: id }: { name: string; job: number },
): Promise<void> {
  const job = await findJobItem(deps, id);
  if (!job || !holdsSlot(job.data, name)) await deps.table.transact([{ delete: key }]);
}

/**
 * A worker of a lab that opens: Offline until it is heard of. With jobs it counts as heard of now, as nobody could be heard of
 * while the lab was closed, so the lease of its jobs begins.
 */
export async function expectWorker(deps: Deps, name: string): Promise<void> {
  await retrying(async () => {
    const item = await deps.table.get<WorkerRecord>(workerKey(name));
    if (!item) return;
    const { jobIds } = await readAssignments(deps, name);
    const now = nowOf(deps);
    const worker: WorkerRecord = {
      ...without(item.data, "silent_after", "attend_at"),
      state: "Offline",
      ...(jobIds.length > 0 ? { last_sync: now, silent_after: now, attend_at: now } : {}),
    };
    await deps.table.transact([
      { put: workerItem(worker), when: { version: item.version } },
      ...workerChange(deps, item.data, worker, { who: LAB, reason: RESTORED }),
    ]);
  });
}
