import type { Queue } from "#protocol/queue.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import { deviceTypeKey } from "./keys.ts";
import type { Principal } from "./principal.ts";
import { sightOf } from "./visible.ts";
import { lineUp, lookAround, reasonsOf } from "./waits-for.ts";

/** How many jobs one answer tells of. */
const MOST_TOLD = 100;

/**
 * The jobs that wait for a device of a type, the next one first, with why each waits. Jobs whose submitter's quota is used up come in
 * no order and are not told. Throws `not_found` for a type that whoever asks may not see.
 */
export async function readQueue(
  deps: Deps,
  principal: Principal,
  deviceType: string,
  limit = 50,
): Promise<Queue> {
  const sight = await sightOf(deps, principal);
  const type = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(deviceType));
  if (!type || !sight.deviceType(type.data)) {
    throw new AppError("not_found", `there is no device type ${JSON.stringify(deviceType)}`);
  }
  const around = await lookAround(deps, deviceType);
  const { line, more } = await lineUp(deps, around, deviceType);
  const jobs: Queue["jobs"] = [];
  for (const [index, job] of line.entries()) {
    if (jobs.length >= Math.min(Math.max(1, limit), MOST_TOLD)) break;
    if (!(await sight.job(job))) continue;
    const { id, description, submitter, priority, submit_time, tags } = job;
    const { text: waits_for } = await reasonsOf(around, job);
    const told = { id, description, submitter, priority, submit_time, tags };
    jobs.push({ position: index + 1, ...told, waits_for });
  }
  const waiting = line.length;
  return { device_type: deviceType, jobs, waiting, ...(more ? { more: true } : {}) };
}
