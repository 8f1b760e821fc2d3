import type { Grants } from "#protocol/people.ts";
import { maySubmitTo, type Access } from "./access.ts";
import { LAB } from "./changes.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";
import { keptOff } from "./keep-off.ts";
import { quotaObstacle, type Limit } from "./quotas.ts";
import type { ComingWindow } from "./windows.ts";
import { isSchedulable, type WorkerRecord } from "./worker-record.ts";

/**
 * What is known beside a job and a device when somebody asks whether they fit. What is absent was not looked at and is no
 * obstacle: a pass looks through its lists with what holds for all of it, and at the rest once it has made a choice.
 */
export interface Facts {
  /** In ms since 1970. */
  readonly now: number;
  /** What the job's submitter may, and what the device type grants. */
  readonly access?: Access;
  readonly type?: { permissions?: Grants | undefined };
  /** The quota of the job's submitter that is used up. */
  readonly quota?: Limit;
  /** Whether the lab answers the runners of stock workers as a lava-coordinator does. */
  readonly hasCoordinator?: boolean;
  /** Maintenance windows that are not over. */
  readonly windows?: readonly ComingWindow[];
  /** The device's worker; null: it is gone. */
  readonly worker?: WorkerRecord | null | undefined;
  /** How many jobs it has. */
  readonly jobsOfWorker?: number;
}

/** Why a job can't take a device now. */
export interface Obstacle {
  readonly code:
    | "type"
    | "device"
    | "worker"
    | "tags"
    | "left"
    | "permission"
    | "busy"
    | "health"
    | "health check"
    | "reserved"
    | "quota"
    | "window"
    | "worker gone"
    | "worker offline"
    | "worker health"
    | "worker not ready"
    | "worker kind"
    | "worker limit";
  /** For people; follows the device or a number of devices: "busy", "on worker bench, which is Offline". */
  readonly text: string;
  /** What else it keeps from what: only this pair, the device from all jobs, all devices of the worker, the job from all. */
  readonly bars: "pair" | "device" | "worker" | "job";
  /** When it passes by itself, in ms since 1970; absent: nobody knows, or it doesn't. */
  readonly until?: number;
}

/** Why a job can't take a device, as far as the facts go; undefined when it can (SCHEDULER.md 2.2). */
export function obstacle(job: JobRecord, device: DeviceRecord, facts: Facts): Obstacle | undefined {
  return (
    misfit(job, device) ??
    notAllowed(job, device, facts) ??
    (facts.quota && quotaObstacle(facts.quota)) ??
    deviceObstacle(job, device) ??
    keptOff(job, device, facts) ??
    kindObstacle(job, facts) ??
    workerObstacle(device, facts)
  );
}

/** A stock worker's jobs of a group meet at a lava-coordinator, which a lab has where `pumice serve` is told so. */
function kindObstacle(
  { group }: JobRecord,
  { worker, hasCoordinator = false }: Facts,
): Obstacle | undefined {
  if (group === undefined || worker?.kind !== "stock" || hasCoordinator) return undefined;
  const text = `on worker ${worker.name}, a stock lava-worker, which gets multinode jobs only where pumice serve has --coordinator`;
  return { code: "worker kind", bars: "pair", text };
}

/** Whether a job may ever run on a device, as far as these two know: what passes by itself counts for nothing. */
export const suits = (job: JobRecord, device: DeviceRecord): boolean => {
  const found = misfit(job, device);
  return found === undefined || found.code === "left";
};

function misfit(job: JobRecord, device: DeviceRecord): Obstacle | undefined {
  const bars = "pair";
  if (job.device_type !== device.device_type) {
    return { code: "type", bars, text: `of type ${device.device_type}` };
  }
  if ((job.requested_device ?? device.hostname) !== device.hostname) {
    return { code: "device", bars, text: `not ${job.requested_device}` };
  }
  if ((job.requested_worker ?? device.worker) !== device.worker) {
    return { code: "worker", bars, text: `not on worker ${job.requested_worker}` };
  }
  const missing = job.tags.filter((tag) => !device.tags.includes(tag));
  if (missing.length > 0) {
    return { code: "tags", bars, text: `without tag ${missing.join(", ")}` };
  }
  // It may still have a runner of the job's attempt before.
  if (job.left?.worker !== device.worker) return undefined;
  const text = `on worker ${device.worker}, which has not yet let go of the attempt before`;
  return { code: "left", bars, text };
}

/** Whether its submitter may use the device now, whatever was so when the job was submitted (SCHEDULER.md 2.2). */
function notAllowed(
  { submitter }: JobRecord,
  device: DeviceRecord,
  { access, type = {} }: Facts,
): Obstacle | undefined {
  if (!access || submitter === LAB || maySubmitTo(access, device, type)) return undefined;
  if (!access.active) {
    const text = `kept from it: user ${submitter} is not active`;
    return { code: "permission", bars: "job", text };
  }
  return { code: "permission", bars: "pair", text: `that ${submitter} may not use` };
}

function deviceObstacle(
  { health_check: isCheck }: JobRecord,
  { state, health, check_due }: DeviceRecord,
): Obstacle | undefined {
  const bars = "device";
  if (state !== "Idle") return { code: "busy", bars, text: "busy" };
  const isLoop = isCheck && health === "Looping";
  if (health !== "Good" && health !== "Unknown" && !isLoop) {
    return { code: "health", bars, text: `in health ${health}` };
  }
  if (isCheck || check_due === undefined) return undefined;
  return { code: "health check", bars, text: "to have a look at for a health check" };
}

/** Why no job of a worker can begin now (SCHEDULER.md 1.3). */
export function workerObstacle(
  { worker: name }: DeviceRecord,
  { worker, jobsOfWorker = 0 }: Facts,
): Obstacle | undefined {
  const bars = "worker";
  if (worker === undefined) return undefined;
  if (worker === null) {
    return { code: "worker gone", bars, text: `on worker ${name}, which is gone` };
  }
  if (worker.health !== "Active") {
    return { code: "worker health", bars, text: `on worker ${name}, which is in ${worker.health}` };
  }
  if (worker.state !== "Online") {
    return { code: "worker offline", bars, text: `on worker ${name}, which is ${worker.state}` };
  }
  if (!isSchedulable(worker)) {
    const text = `on worker ${name}, which can't begin another job: ${worker.no_jobs}`;
    return { code: "worker not ready", bars, text };
  }
  if (worker.job_limit === 0 || jobsOfWorker < worker.job_limit) return undefined;
  return { code: "worker limit", bars, text: `on worker ${name}, which is at its job limit` };
}
