import { TableConflict, type Item } from "../ports/table.ts";
import { deviceChange, jobChange, LAB } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import type { HealthCheck } from "./health-check-of.ts";
import { healthDueOperations } from "./health-due-record.ts";
import { checkedNow, whyCheck } from "./health-rules.ts";
import { jobItem, type JobRecord } from "./job-record.ts";
import { jobToken } from "./job-token.ts";
import { deviceKey, healthDueKey } from "./keys.ts";
import { definitionBlob } from "./blob-names.ts";
import { withWorker, type PassFacts } from "./pass-facts.ts";
import { queryFirst } from "./query-all.ts";
import { obstacle, workerObstacle, type Obstacle } from "./suits.ts";
import { findText, type TextRecord } from "./texts.ts";
import { setBad, usableText } from "./usable-device.ts";
import { without } from "./without.ts";

/** A health check that a device needs before its next job. */
export interface DueCheck extends HealthCheck {
  /** Why it is due. */
  reason: string;
  type: DeviceTypeRecord;
}

/** How many devices of a type a pass looks at. */
const MOST_DEVICES = 2000;

/**
 * Looks at the idle devices of a type whose health check may be due, and starts it where it is (SCHEDULER.md 2.1). A device that
 * needs none is from then on one that jobs may have.
 */
export async function scheduleChecks(
  deps: Deps,
  deviceType: string,
  passed: PassFacts,
): Promise<void> {
  const useless = new Set<string>();
  let seen = 0;
  const listed = queryFirst<DeviceRecord>(deps, "i3", `check-devices#${deviceType}`);
  for await (const { data } of listed) {
    if (++seen > MOST_DEVICES) return;
    if (useless.has(data.worker)) continue;
    if ((await lookAt(deps, data.hostname, passed)) === "worker is gone") useless.add(data.worker);
  }
}

async function lookAt(
  deps: Deps,
  hostname: string,
  passed: PassFacts,
): Promise<"done" | "worker is gone"> {
  for (;;) {
    const device = await deps.table.get<DeviceRecord>(deviceKey(hostname));
    if (device?.data.state !== "Idle") return "done";
    try {
      const text = await findText(deps, "device", hostname);
      const type = await passed.deviceType(device.data.device_type);
      const check = text && (await dueCheck(deps, device.data, text, type));
      if (!check) {
        await release(deps, device);
        return "done";
      }
      const barred = await barredBy(deps, device.data, passed);
      if (barred) return barred.bars === "worker" ? "worker is gone" : "done";
      if (await usableText(deps, device)) await startCheck(deps, device, check);
      return "done";
    } catch (error) {
      if (!(error instanceof TableConflict)) throw error;
    }
  }
}

/** The health check that has to come before a job on an idle device, and can; for `startCheck`. */
export async function checkBefore(
  deps: Deps,
  device: DeviceRecord,
  text: TextRecord,
  passed: PassFacts,
): Promise<DueCheck | undefined> {
  const check = await dueCheck(deps, device, text, await passed.deviceType(device.device_type));
  return check && !(await barredBy(deps, device, passed)) ? check : undefined;
}

/** What keeps a health check from the device now, as it would another job. */
async function barredBy(
  deps: Deps,
  device: DeviceRecord,
  passed: PassFacts,
): Promise<Obstacle | undefined> {
  const job: JobRecord = { ...bareCheckOf(deps, device), id: 0, description: "", priority: 50 };
  const { facts } = await withWorker(deps, await passed.forJob(job), device);
  return obstacle(job, device, facts);
}

/** Lets jobs have a device that needs no check. */
async function release(deps: Deps, { data, version }: Item<DeviceRecord>): Promise<void> {
  if (data.check_due === undefined) return;
  const released: DeviceRecord = without(data, "check_due");
  await deps.table.transact([{ put: deviceItem(released), when: { version } }]);
  // The index may not know it yet when this pass comes to the jobs.
  await deps.signals.requestPass(data.device_type);
}

/** The health check that a device needs before its next job; undefined when it needs none or there is none. */
export async function dueCheck(
  deps: Deps,
  device: DeviceRecord,
  text: TextRecord,
  type: DeviceTypeRecord,
): Promise<DueCheck | undefined> {
  const reason = whyCheck(device, type, deps.system.now());
  if (reason === undefined) return undefined;
  const isAsked = device.check_due === "asked" || device.health === "Looping";
  const withStock = isAsked || type.health_check === "stock";
  const { healthCheckOf } = await import("./health-check-of.ts");
  const check = await healthCheckOf(deps, text, { withStock });
  return check && { ...check, reason, type };
}

/**
 * Starts a device's health check: the job has its device from the beginning. A definition that is of no use makes the device Bad
 * instead, and where the worker can begin none any more nothing happens. Throws `TableConflict`.
 */
export async function startCheck(
  deps: Deps,
  device: Item<DeviceRecord>,
  check: DueCheck,
): Promise<void> {
  // Its limit is counted by what the transaction finds unchanged.
  const { facts, jobIds, replace } = await withWorker(
    deps,
    { now: deps.system.now() },
    device.data,
  );
  if (workerObstacle(device.data, facts)) return;
  const made = await checkJobOf(deps, device.data, check);
  if (typeof made === "string") return setBad(deps, device, `invalid health check: ${made}`);

  const { hostname, worker } = device.data;
  const checked = checkedNow(made.id, check.type, deps.system.now());
  const reserved: DeviceRecord = {
    ...without(device.data, "check_due"),
    state: "Reserved",
    current_job: made.id,
    checked,
  };
  const by = { who: LAB, reason: `health check: ${check.reason}` };
  const old = await deps.table.get(healthDueKey(hostname));
  // It stays when the transaction fails, under an id that is never drawn again.
  await deps.blobs.put(definitionBlob(made.id), new TextEncoder().encode(check.text));
  await deps.table.transact([
    { put: jobItem(made), when: "absent" },
    { put: deviceItem(reserved), when: { version: device.version } },
    replace([...jobIds, made.id]),
    ...healthDueOperations(hostname, checked.due, old?.version),
    ...jobChange(deps, undefined, made, by),
    ...deviceChange(deps, device.data, reserved, by),
  ]);
  deps.system.log("health check started", { hostname, job: made.id, reason: check.reason });
  await deps.signals.ring(`worker/${worker}`);
}

/** The job, or what is wrong with its definition. Its tags, device, worker and retry count for nothing (SCHEDULER.md 2.1). */
async function checkJobOf(
  deps: Deps,
  device: DeviceRecord,
  { name, text }: HealthCheck,
): Promise<JobRecord | string> {
  const { checkJob } = await import("#protocol/check-job.ts");
  const { priorityNumber } = await import("#protocol/job-definition.ts");
  const { definition, problems } = checkJob(text);
  const [first] = problems;
  if (first || !definition)
    return `${name}: line ${first?.line ?? 1}: ${first?.message ?? "empty"}`;
  if (definition.protocols?.["lava-multinode"]) return `${name}: it is a multinode job`;
  const id = await deps.table.counter("job");
  const token_nonce = deps.system.randomToken();
  return {
    ...bareCheckOf(deps, device),
    id,
    description: definition.job_name,
    priority: priorityNumber(definition.priority),
    token_nonce,
    token_hash: deps.system.hash(jobToken(deps, { id, token_nonce })),
  };
}

/** What every health check of a device is. */
const bareCheckOf = ({ system }: Deps, { hostname, device_type, worker }: DeviceRecord) =>
  ({
    state: "Scheduled",
    health: "Unknown",
    device_type,
    requested_device: hostname,
    device: hostname,
    worker,
    submitter: LAB,
    health_check: true,
    tags: [],
    submit_time: new Date(system.now()).toISOString(),
    log_lines: 0,
  }) satisfies Partial<JobRecord>;
