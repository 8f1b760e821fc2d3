import type { PlanAnswer } from "#protocol/plan.ts";
import { deviceBlob } from "./blob-names.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { attemptOf, getAttempt } from "./job-record.ts";
import { readDefinition } from "./jobs.ts";
import { planJob } from "./plan-job.ts";
import type { Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { getVisibleDevice, getVisibleJob, sightOf } from "./visible.ts";

/** What a worker does for a job on a device, and whether it is the job's own or one that it may get. */
export interface JobPlan {
  hostname: string;
  isOwn: boolean;
  /** With the device's configuration as the job had it, not as it is today. */
  isKept: boolean;
  plan: PlanAnswer;
}

/** Devices of a type that are looked at for one that whoever asks may see. */
const MOST_SEEN = 100;

/**
 * The plan of a job on its device, or while it has none on one of its type. Undefined when there is no device that whoever asks may
 * see. Throws `not_found`.
 */
export async function jobPlan(
  deps: Deps,
  principal: Principal,
  id: number,
  attempt?: number,
): Promise<JobPlan | undefined> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  const isGuest = job.host_job !== undefined;
  const host = job.host_job === undefined ? job : await getAttempt(deps, job.host_job);
  const named = host.device ?? host.requested_device;
  const device =
    named === undefined
      ? await deviceOfType(deps, principal, host.device_type)
      : await getVisibleDevice(deps, principal, named).then(
          ({ data }) => data,
          () => undefined,
        );
  if (!device) return undefined;
  const definition = await readDefinition(deps, principal, id);
  const { hostname } = device;
  const isOwn = hostname === host.device;
  const blob = isOwn ? await deps.blobs.get(deviceBlob(id, attemptOf(job))) : undefined;
  const kept = blob && new TextDecoder().decode(blob);
  const plan = await planJob(deps, { definition, device, kept, isGuest });
  return { hostname, isOwn, isKept: kept !== undefined, plan };
}

async function deviceOfType(
  deps: Deps,
  principal: Principal,
  type: string,
): Promise<DeviceRecord | undefined> {
  const sight = await sightOf(deps, principal);
  let seen = 0;
  const devices = queryAll<DeviceRecord>(deps, "i2", `type-devices#${type}`, { limit: 10 });
  for await (const { data } of devices) {
    if (data.health !== "Retired" && (await sight.device(data))) return data;
    if (++seen === MOST_SEEN) break;
  }
  return undefined;
}
