import type { Queue } from "#protocol/queue.ts";
import { AppError } from "./app-error.ts";
import { atATime } from "./at-a-time.ts";
import type { Deps } from "./deps.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import { expectStart, type FindJob } from "./expect-start.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { deviceTypeKey } from "./keys.ts";
import { namedPage, type PageRequest } from "./named-page.ts";
import type { Principal } from "./principal.ts";
import { suits } from "./suits.ts";
import { sightOf } from "./visible.ts";
import { lineUp, lookAround, reasonsOf } from "./waits-for.ts";

/** How many jobs one answer tells of. */
const MOST_TOLD = 100;
/** Of how many it is said when they may begin: that takes a look at all jobs before each. */
const MOST_EXPECTED = 20;
/** How many of a type's waiting jobs are counted. */
const MOST_COUNTED = 100;
const TYPES_AT_A_TIME = 20;

/** Device types that jobs wait for and that whoever asks may see, by name, with how many: up to a hundred each. */
export async function waitingTypes(
  deps: Deps,
  principal: Principal,
  page: PageRequest = {},
): Promise<{ types: { name: string; queued: number }[]; next_cursor?: string }> {
  const sight = await sightOf(deps, principal);
  const nameOf = ({ name }: DeviceTypeRecord) => name;
  const { records, ...next } = await namedPage<DeviceTypeRecord>(
    ...([deps, "device-types", nameOf, page, sight.deviceType] as const),
  );
  const types = await atATime(TYPES_AT_A_TIME, records, async ({ name }) => {
    const range = { limit: MOST_COUNTED };
    const { items } = await deps.table.query<JobRecord>("i2", `queue#${name}`, range);
    const visible = await Promise.all(items.map(({ data }) => sight.job(data)));
    return { name, queued: visible.filter(Boolean).length };
  });
  return { types: types.filter(({ queued }) => queued > 0), ...next };
}

/**
 * The jobs that wait for a device of a type, the next one first, with why each waits. Jobs whose submitter's quota is used up come in
 * no order and are not told. With `most`, only so many are looked at. Throws `not_found` for a type that whoever asks may not see.
 */
export async function readQueue(
  deps: Deps,
  principal: Principal,
  deviceType: string,
  limit = 50,
  most?: number,
): Promise<Queue> {
  const sight = await sightOf(deps, principal);
  const type = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(deviceType));
  if (!type || !sight.deviceType(type.data)) {
    throw new AppError("not_found", `there is no device type ${JSON.stringify(deviceType)}`);
  }
  const around = await lookAround(deps, deviceType);
  const { line, more } = await lineUp(deps, around, deviceType, most);
  const jobs: Queue["jobs"] = [];
  const known = new Map<number, ReturnType<FindJob>>();
  const findJob: FindJob = (id) => {
    const found = known.get(id) ?? findJobItem(deps, id);
    known.set(id, found);
    return found;
  };
  for (const [index, job] of line.entries()) {
    if (jobs.length >= Math.min(Math.max(1, limit), MOST_TOLD)) break;
    if (!(await sight.job(job))) continue;
    const { id, description, submitter, priority, submit_time, tags } = job;
    const { text: waits_for, reasons, choices } = await reasonsOf(around, job);
    const told = { id, description, submitter, priority, submit_time, tags };
    const isHeld = reasons.some(({ devices }) => devices === 0);
    const isTold = !isHeld && job.group === undefined && jobs.length < MOST_EXPECTED;
    const rivals = line
      .slice(0, isTold ? index : 0)
      .filter((other) => choices.some(({ device }) => suits(other, device)));
    const asked = { choices, rivals, isBeyond: false };
    const expected = isTold ? await expectStart(deps, asked, around.durations, findJob) : {};
    jobs.push({ position: index + 1, ...told, waits_for, ...expected });
  }
  const waiting = line.length;
  return { device_type: deviceType, jobs, waiting, ...(more ? { more: true } : {}) };
}
