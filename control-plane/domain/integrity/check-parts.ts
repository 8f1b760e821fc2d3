import type { Key, StoredItem } from "../../ports/table.ts";
import type { DeviceRecord } from "../device-record.ts";
import { findGroup } from "../group-record.ts";
import { attemptOfPart, isPartOfLog, jobOfPart, kindOf } from "../item-kinds.ts";
import { attemptOf, findJobItem } from "../job-record.ts";
import { deviceKey, workerKey } from "../keys.ts";
import { holdsSlot } from "../quotas.ts";
import type { ReservationRecord } from "../reservation-record.ts";
import { isWithWorker } from "../settle-restored.ts";
import type { Looking } from "./check-page.ts";

/** What a worker is told of is with it, and named once. */
export async function checkAssignments(
  { deps, say }: Looking,
  { key, data }: StoredItem,
): Promise<void> {
  const name = key.partition.slice("worker#".length);
  const what = `worker ${name}`;
  const { job_ids: ids } = data as { job_ids: number[] };
  if (new Set(ids).size < ids.length) say("assignments", what, `a job twice: ${ids.join(", ")}`);
  if (ids.length > 0 && !(await deps.table.get(workerKey(name)))) {
    say("orphan", what, `it is not there, and has jobs ${ids.join(", ")}`);
  }
  for (const id of new Set(ids)) {
    const job = (await findJobItem(deps, id))?.data;
    const isHere = job !== undefined && isWithWorker(job) && job.worker === name;
    if (isHere || job?.left?.worker === name) continue;
    const is = job === undefined ? "not there" : `${job.state}, with ${job.worker ?? "no worker"}`;
    say("assignments", what, `it is told of job ${id}, which is ${is}`);
  }
}

/** A part of something is left when that has gone; what the engine forgets by itself does no harm. */
export async function checkPart({ deps, say }: Looking, item: StoredItem): Promise<void> {
  const { key, data, expires } = item;
  const what = `${key.partition} ${key.sort}`;
  const name = kindOf(key)?.name;
  if (name === "health due" || name === "device photos") {
    const host = key.partition.slice("device#".length);
    if (!(await deps.table.get(deviceKey(host))))
      say("orphan", what, `device ${host} is not there`);
    return;
  }
  if (name === "multinode state") {
    const group = key.partition.slice("multinode#".length);
    if (expires === undefined && !(await findGroup(deps, group))) say("orphan", what, "no group");
    return;
  }
  const id = jobOf(key, data);
  const job = (await findJobItem(deps, id))?.data;
  if (!job) {
    if (expires === undefined) say("orphan", what, `job ${id} is not there`);
  } else if (isPartOfLog(key) && attemptOfPart(key) > attemptOf(job)) {
    say("orphan", what, `job ${id} has no such attempt`);
  } else if (name === "queue deadline") {
    const { deadline } = data as { deadline: string };
    const isDue = job.state === "Submitted" && job.queue_deadline === deadline;
    if (!isDue) say("orphan", what, `job ${id} does not wait until then`);
  }
}

function jobOf(key: Key, data: object): number {
  if (key.partition === "queue-deadlines") return (data as { job: number }).job;
  if (key.partition.startsWith("notice#")) return Number(key.partition.slice("notice#".length));
  return jobOfPart(key);
}

/** A place of a quota that nobody has would be lost for ever. */
export async function checkSlot({ deps, say }: Looking, { key, data }: StoredItem): Promise<void> {
  const { name, job: id } = data as { name: string; job: number };
  // A note that somebody is held back.
  if (id === 0) return;
  const job = (await findJobItem(deps, id))?.data;
  if (job && holdsSlot(job, name)) return;
  say("quota", `${key.partition} ${key.sort}`, `job ${id} has it no more`);
}

/** A reservation that has not ended is that of its device. */
export async function checkReservation(
  { deps, say }: Looking,
  { data }: StoredItem,
): Promise<void> {
  const { id, device: hostname, state } = data as ReservationRecord;
  if (state === "ended") return;
  const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
  if (device?.data.reservation?.id === id) return;
  say("reservation", `reservation ${id}`, `it is ${state}, and ${hostname} does not know of it`);
}
