import { TableConflict } from "../ports/table.ts";
import { deviceChange, jobChange, LAB } from "./changes.ts";
import { findClosed } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { findJobItem, jobItem, type JobRecord } from "./job-record.ts";
import { jobToken } from "./job-token.ts";
import { idleDevices, type IdleDevices } from "./idle-devices.ts";
import { deviceKey } from "./keys.ts";
import { passFacts, withWorker, type PassFacts } from "./pass-facts.ts";
import { jobsOfSubmitter, waitingJobs } from "./queue-order.ts";
import { checkBefore, scheduleChecks, startCheck } from "./schedule-checks.ts";
import type { GroupTurns } from "./schedule-group.ts";
import { obstacle, type Obstacle } from "./suits.ts";
import { usableText } from "./usable-device.ts";
import { without } from "./without.ts";

/**
 * One scheduling pass (SCHEDULER.md 2.2): the queue of a device type, most urgent first, meets the idle
 * devices of that type; each match is one transaction over job, device and worker. It reads only as much of
 * both lists as it takes until one of them ends. Passes of one type may overlap: a job still gets one device.
 */
export async function schedulePass(deps: Deps, deviceType: string): Promise<void> {
  if (await findClosed(deps)) return;
  const facts = passFacts(deps, { notesHeld: true });
  await scheduleChecks(deps, deviceType, facts);
  const idle = idleDevices(deps, deviceType);
  let groups: GroupTurns | undefined;
  async function take(job: JobRecord): Promise<void> {
    if (job.group === undefined) return serve(deps, job, idle, facts);
    // Loaded when there is a group.
    groups ??= (await import("./schedule-group.ts")).groupTurns(deps, facts);
    for (const one of await groups.turn(job)) idle.drop(one.hostname, one.andWorker);
  }
  let holders = await idle.holders();
  if (!holders) {
    for await (const job of waitingJobs(deps, deviceType, facts)) {
      await take(job);
      holders = await idle.holders();
      if (holders) break;
    }
  }
  // However many others wait.
  for (const holder of holders ?? []) {
    for await (const job of jobsOfSubmitter(deps, deviceType, holder)) await take(job);
  }
}

/** Gives a job the first device that it can have, and drops from the idle ones what turns out to be of no use to anybody. */
async function serve(
  deps: Deps,
  job: JobRecord,
  idle: IdleDevices,
  passed: PassFacts,
): Promise<void> {
  const facts = await passed.forJob(job);
  for await (const device of inOrder(job, idle.all())) {
    const { hostname, worker } = device;
    const found = obstacle(job, device, facts) ?? (await assign(deps, job.id, hostname, passed));
    if (found === "job is gone") return;
    if (found === "assigned") return idle.drop(hostname);
    if (found === "device is gone" || found.bars === "device") idle.drop(hostname);
    else if (found.bars === "worker") idle.drop(hostname, worker);
    else if (found.bars === "job") return;
  }
}

/** The device that the job's attempt before failed on comes last. */
async function* inOrder(
  job: JobRecord,
  devices: AsyncIterable<DeviceRecord>,
): AsyncGenerator<DeviceRecord> {
  let failed: DeviceRecord | undefined;
  for await (const device of devices) {
    if (device.hostname === job.failed_on) failed = device;
    else yield device;
  }
  if (failed) yield failed;
}

/** Gives a job its device, looking at both again; another writer in between means another look. */
async function assign(
  deps: Deps,
  jobId: number,
  hostname: string,
  passed: PassFacts,
): Promise<"assigned" | "job is gone" | "device is gone" | Obstacle> {
  for (;;) {
    const [job, device] = await Promise.all([
      findJobItem(deps, jobId),
      deps.table.get<DeviceRecord>(deviceKey(hostname)),
    ]);
    if (job?.data.state !== "Submitted") return "job is gone";
    if (!device) return "device is gone";
    const known = await passed.forJob(job.data);
    const { facts, jobIds, replace } = await withWorker(deps, known, device.data);
    const found = obstacle(job.data, device.data, facts);
    if (found) return found;
    const text = await usableText(deps, device);
    if (!text) return "device is gone";
    const check = await checkBefore(deps, device.data, text, passed);

    const claim = await passed.claims.claim([job.data]);
    if ("bars" in claim) return claim;
    const nonce = deps.system.randomToken();
    const assigned: JobRecord = {
      ...without(job.data, "queue_deadline", "quota_slots"),
      ...claim.fieldsOf(jobId),
      state: "Scheduled",
      device: hostname,
      worker: device.data.worker,
      token_nonce: nonce,
      token_hash: deps.system.hash(jobToken(deps, { id: jobId, token_nonce: nonce })),
    };
    const reserved: DeviceRecord = { ...device.data, state: "Reserved", current_job: jobId };
    try {
      if (check) {
        await startCheck(deps, device, check);
        return "device is gone";
      }
      await deps.table.transact([
        { put: jobItem(assigned), when: { version: job.version } },
        { put: deviceItem(reserved), when: { version: device.version } },
        replace([...jobIds, jobId]),
        ...claim.operationsOf(jobId),
        ...jobChange(deps, job.data, assigned, { who: LAB }),
        ...deviceChange(deps, device.data, reserved, { who: LAB, reason: `job ${jobId}` }),
      ]);
    } catch (error) {
      if (error instanceof TableConflict) continue;
      throw error;
    }
    await claim.done();
    await deps.signals.ring(`worker/${device.data.worker}`);
    await deps.signals.ring(`job/${jobId}`);
    return "assigned";
  }
}
