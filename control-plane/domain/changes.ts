import type { ChangedKind } from "#protocol/people.ts";
import type { NewItem, Operation } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { JobRecord } from "./job-record.ts";
import { changeKey } from "./keys.ts";
import { noticeOf } from "./notices/notice-record.ts";
import { queueDeadlines } from "./queue-deadlines.ts";
import { freedSlots } from "./quotas.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** Who changes what no person asked for (SCHEDULER.md 1.2). */
export const LAB = "lava-health";

/** Who makes a change, and why, in a few words for people. */
export interface By {
  readonly who: string;
  readonly reason?: string | undefined;
}

/**
 * One change of the lab: an entry of its audit log, of the history of what was changed, and an event for whoever listens. It
 * is written in the transaction that makes the change, so that neither is there without the other.
 */
export interface ChangeRecord {
  /** Sorts by time: `2026-11-22T01:02:03.004Z#ID`. */
  id: string;
  time: string;
  who: string;
  kind: ChangedKind;
  /** A hostname, the id of a job, the name of a user ... */
  name: string;
  /** By field, as it was and as it is; null: it was not there, or is no more. */
  changed: Record<string, [string | null, string | null]>;
  reason?: string;
  /** It happens with each job: forgotten after 90 days, and not in the audit log. */
  routine?: true;
  /** What was changed as listeners see it, in LAVA's names (SCHEDULER.md 7, event stream). */
  data?: Record<string, unknown>;
}

const KEPT_MS = 90 * 24 * 60 * 60 * 1000;

/** The item of a change that is made now. */
export function changeItem(
  { system }: Deps,
  { who, reason, ...change }: By & Omit<ChangeRecord, "id" | "time" | "reason">,
): NewItem {
  const now = system.now();
  const time = new Date(now).toISOString();
  const why = reason === undefined ? {} : { reason };
  const id = `${time}#${orderAt(now)}${system.id().slice(4)}`;
  return changeRecordItem({ id, time, who, ...change, ...why });
}

let last = { now: 0, count: 0 };

/** Four hex digits that put the changes of a millisecond in the order in which this process made them. */
function orderAt(now: number): string {
  last = { now, count: now === last.now ? Math.min(last.count + 1, 0xffff) : 0 };
  return last.count.toString(16).padStart(4, "0");
}

/** The item of a record. */
export const changeRecordItem = (data: ChangeRecord): NewItem => ({
  key: changeKey(data.kind, data.name, data.id),
  data,
  keys: {
    i1: { partition: `changes#${data.time.slice(0, 10)}`, sort: data.id },
    ...(data.routine ? {} : { i2: { partition: "audit", sort: data.id } }),
  },
  ...(data.routine ? { expires: Date.parse(data.time) + KEPT_MS } : {}),
});

/**
 * What is to be written with a job's new state or health, with a notice for whoever wants to know and what its
 * place in the queue and its quotas are from now on; nothing when both stay.
 */
export function jobChange(
  deps: Deps,
  before: JobRecord | undefined,
  after: JobRecord,
  by: By,
): Operation[] {
  const changed = differences(before, after, ["state", "health"]);
  if (!changed) return [];
  const { id, state, health, description, priority, submit_time, submitter } = after;
  const { device, worker, device_type, start_time, end_time, health_check = false } = after;
  const { sub_id } = after;
  const data = {
    ...{ job: id, state, health, description, priority, submit_time, submitter, device_type },
    ...{ device, worker, start_time, end_time, health_check, sub_id },
  };
  const change = { kind: "job", name: String(id), changed, data, routine: true, ...by } as const;
  return [
    { put: changeItem(deps, change), when: "absent" },
    ...noticeOf(deps, before, after),
    ...queueDeadlines(before, after),
    ...freedSlots(before, after),
  ];
}

/** What is to be written with a device's new state or health; nothing when both stay. */
export function deviceChange(
  deps: Deps,
  before: DeviceRecord | undefined,
  after: DeviceRecord,
  by: By,
): Operation[] {
  const changed = differences(before, after, ["state", "health"]);
  if (!changed) return [];
  const { hostname, state, health, device_type, worker, current_job: job } = after;
  const data = { device: hostname, state, health, device_type, worker, job };
  const change = { kind: "device", name: hostname, changed, data, ...by } as const;
  return [{ put: changeItem(deps, { ...change, ...routineIf(changed) }), when: "absent" }];
}

/** What is to be written with a worker's new state or health; nothing when both stay. */
export function workerChange(
  deps: Deps,
  before: WorkerRecord | undefined,
  after: WorkerRecord,
  by: By,
): Operation[] {
  const changed = differences(before, after, ["state", "health"]);
  if (!changed) return [];
  const { name, state, health } = after;
  const data = { hostname: name, state, health };
  const change = { kind: "worker", name, changed, data, ...by } as const;
  return [{ put: changeItem(deps, { ...change, ...routineIf(changed) }), when: "absent" }];
}

/** What is to be written with something that a job's DUT has said (`lava-test-event`): an event, and nothing else. */
export function dutEvent(deps: Deps, job: JobRecord, message: string): Operation {
  const { id, device, worker, submitter: who } = job;
  const data = { message, job: id, device, worker };
  const change = { kind: "event", name: String(id), changed: {}, data, routine: true } as const;
  return { put: changeItem(deps, { who, ...change }), when: "absent" };
}

const routineIf = (changed: ChangeRecord["changed"]): { routine?: true } =>
  "health" in changed ? {} : { routine: true };

function differences<F extends string>(
  before: Record<F, string> | undefined,
  after: Record<F, string>,
  fields: readonly F[],
): ChangeRecord["changed"] | undefined {
  const changed: ChangeRecord["changed"] = {};
  for (const field of fields) {
    const [old = null, now] = [before?.[field], after[field]];
    if (old !== now) changed[field] = [old, now];
  }
  return Object.keys(changed).length === 0 ? undefined : changed;
}

const MOST_TOLD_CHARS = 500;

/** What differs between two states of something that people administer, field by field, as text; of what is no text, JSON. */
export function fieldChanges(
  before: object | undefined,
  after: object | undefined,
): ChangeRecord["changed"] {
  const [old, now] = [before ?? {}, after ?? {}] as Record<string, unknown>[];
  const changed: ChangeRecord["changed"] = {};
  for (const field of new Set([...Object.keys(old ?? {}), ...Object.keys(now ?? {})])) {
    const [from, to] = [told(old?.[field]), told(now?.[field])];
    if (from !== to) changed[field] = [from, to];
  }
  return changed;
}

function told(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= MOST_TOLD_CHARS ? text : `${text.slice(0, MOST_TOLD_CHARS)} ...`;
}

/** What is to be written with the removal of something that had these fields. */
export const removal = (
  deps: Deps,
  kind: ChangedKind,
  name: string,
  before: object,
  { name: who }: { name: string },
): Operation[] => [
  {
    put: changeItem(deps, { who, kind, name, changed: fieldChanges(before, undefined) }),
    when: "absent",
  },
];

/** What is to be written when somebody sets fields of a thing, beside what its state and health do; nothing when all stay. */
export function editChange(
  deps: Deps,
  kind: ChangedKind,
  name: string,
  [before, after]: readonly [object | undefined, object],
  by: By,
): Operation[] {
  const changed = fieldChanges(before, after);
  if (Object.keys(changed).length === 0) return [];
  return [{ put: changeItem(deps, { ...by, kind, name, changed }), when: "absent" }];
}
