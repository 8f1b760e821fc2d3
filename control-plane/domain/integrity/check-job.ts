import type { StoredItem } from "../../ports/table.ts";
import type { DeviceRecord } from "../device-record.ts";
import { findGroup } from "../group-record.ts";
import { attemptOf, type JobRecord } from "../job-record.ts";
import { attemptKey, deviceKey, jobKeys, queueDeadlineKey, slotKey, workerKey } from "../keys.ts";
import { definitionBlob } from "../blob-names.ts";
import { isWithWorker } from "../settle-restored.ts";
import { obstacle } from "../suits.ts";
import { withWorker } from "../pass-facts.ts";
import { readAssignments } from "../worker-record.ts";
import { checkHistory } from "./check-history.ts";
import { checkLog } from "./check-log.ts";
import type { Looking } from "./check-page.ts";

/** Idle devices that a waiting job is compared with. */
const MOST_DEVICES = 10;
/** Of a queue: who may keep an idle device for a group. */
const MOST_WAITING = 100;

/** A job and all that belongs to it. */
export async function checkJob(looking: Looking, { data }: StoredItem): Promise<void> {
  const job = data as JobRecord;
  checkState(looking, job);
  await checkHolding(looking, job);
  if (job.state === "Submitted") await checkWaiting(looking, job);
  await checkBelongings(looking, job);
  for (let attempt = 1; attempt < attemptOf(job); attempt++) {
    const item = await looking.deps.table.get<JobRecord>(attemptKey(job.id, attempt));
    if (item) await checkLog(looking, item.data, attempt);
    else looking.say("lost-attempt", `job ${job.id}`, `attempt ${attempt} is not there`);
  }
  await checkLog(looking, job, attemptOf(job));
  await checkHistory(looking, "job", String(job.id), { state: job.state, health: job.health });
}

function checkState({ say }: Looking, job: JobRecord): void {
  const { state, health, device, worker, host_job, start_time, end_time } = job;
  const wrong: string[] = [];
  const isOver = state === "Finished";
  if (isOver !== (health !== "Unknown")) wrong.push(`health ${health}`);
  if (isOver !== (end_time !== undefined)) wrong.push(isOver ? "no end" : "an end");
  const isHere = state === "Scheduled" || state === "Running" || state === "Canceling";
  if (isHere && worker === undefined) wrong.push("no worker");
  if (isHere && device === undefined && host_job === undefined) wrong.push("no device");
  if (state === "Submitted" && (worker !== undefined || device !== undefined)) {
    wrong.push("a device or worker");
  }
  if (state === "Running" && start_time === undefined) wrong.push("no beginning");
  if (job.taken_back && !isOver) wrong.push("a mark that it was taken back");
  for (const one of wrong) say("job-state", `job ${job.id}`, `it is ${state} with ${one}`);
}

/** Where a job is, it is known. */
async function checkHolding({ deps, say, isClosed }: Looking, job: JobRecord): Promise<void> {
  const { id, device: hostname, worker, left, state } = job;
  const what = `job ${id}`;
  if (hostname !== undefined && (isWithWorker(job) || state === "Scheduling")) {
    const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    if (!device) say("lost-device", what, `it has device ${hostname}, which is not there`);
    else if (device.data.current_job !== id) {
      const other = device.data.current_job ?? "no job";
      say("job-holder", what, `it is ${state} on ${hostname}, whose job is ${other}`);
    }
  }
  const places = [...(isWithWorker(job) ? [worker!] : []), ...(left ? [left.worker] : [])];
  for (const name of new Set(places)) {
    const item = await deps.table.get<{ state: string; attend_at?: string }>(workerKey(name));
    if (!item) say("stuck-job", what, `it is with worker ${name}, which is not there`);
    else if (!isClosed && item.data.state === "Offline" && item.data.attend_at === undefined) {
      if (!job.taken_back && !left)
        say("stuck-job", what, `worker ${name} is gone and nobody looks`);
    }
    const { jobIds } = await readAssignments(deps, name);
    if (!jobIds.includes(id)) say("job-holder", what, `worker ${name} is not told of it`);
  }
}

async function checkWaiting(looking: Looking, job: JobRecord): Promise<void> {
  const { deps, say, isClosed, passed } = looking;
  const what = `job ${job.id}`;
  const { i2, i3 } = jobKeys(job);
  for (const [index, place] of [["i2", i2] as const, ["i3", i3] as const]) {
    if (!place) continue;
    const { partition, sort } = place;
    const page = await deps.table.query<JobRecord>(index, partition, { from: sort, to: sort });
    if (page.items[0]?.data.id !== job.id) say("queue", what, `it is not found in ${partition}`);
  }
  if (job.queue_deadline !== undefined) {
    const due = await deps.table.get(queueDeadlineKey(job.queue_deadline, job.id));
    if (!due) say("queue", what, "nobody looks whether its queue time-out is over");
  }
  if (isClosed || job.group !== undefined || job.left) return;
  const list = `idle-devices#${job.device_type}`;
  const idle = await deps.table.query<DeviceRecord>("i3", list, { limit: MOST_DEVICES });
  for (const { data: device } of idle.items) {
    const { facts } = await withWorker(deps, await passed.forJob(job), device);
    if (obstacle(job, device, facts)) continue;
    // A group gathers devices: until it has all of them those stay idle, whoever else could use them.
    const waiting = await deps.table.query<JobRecord>("i2", i2!.partition, { limit: MOST_WAITING });
    if (waiting.items.some(({ data }) => data.group !== undefined)) return;
    say("waits-in-vain", what, `device ${device.hostname} is idle and nothing keeps it from it`);
  }
}

async function checkBelongings({ deps, say }: Looking, job: JobRecord): Promise<void> {
  const what = `job ${job.id}`;
  if ((await deps.blobs.sizeBytes(definitionBlob(job.id))) === undefined) {
    say("lost-blob", what, "its definition is not there");
  }
  for (const name of job.quota_slots ?? []) {
    const at = name.indexOf("#");
    const slot = await deps.table.get<{ job: number }>(
      slotKey(name.slice(0, at), name.slice(at + 1)),
    );
    const isCounted = job.state !== "Finished";
    if (isCounted && slot?.data.job !== job.id) say("quota", what, `it has no place ${name}`);
  }
  if (job.group === undefined || job.state === "Finished") return;
  const group = await findGroup(deps, job.group);
  if (!group) say("group", what, `its group ${job.group} is not there`);
  else if (!group.data.members.some(({ job_id }) => job_id === job.id)) {
    say("group", what, `its group ${job.group} does not name it`);
  } else if (job.state === "Scheduling" && group.data.phase === undefined) {
    say("stuck-job", what, `it is Scheduling, and its group ${job.group} is not`);
  }
}
