import type { LabSettings, Quota } from "#protocol/lab-settings.ts";
import { TableConflict, type NewItem, type Operation } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import type { JobRecord } from "./job-record.ts";
import { slotKey } from "./keys.ts";
import { queryAll } from "./query-all.ts";
import type { Obstacle } from "./suits.ts";
import type { UserAccess } from "./users.ts";

/*
 * A quota of N is N slots, items that are there while a job has them. Whoever takes one writes it under the condition that it is
 * absent, in the transaction that makes the job wait or run, and it is deleted in the one that ends that: so the count can't drift,
 * whatever crashes, and jobs of one person that begin or end at the same time don't stand in each other's way. Who has no quota
 * pays for none of this. The lab's own health checks count for no quota. A quota counts the jobs that came after it was set.
 */

/** What is counted: jobs in queues, or jobs that have a device. */
export type SlotKind = keyof Quota;

/** A quota that holds for somebody. */
export interface Limit {
  /** `user/NAME` or `group/NAME` */
  readonly account: string;
  readonly kind: SlotKind;
  readonly most: number;
}

/** The quotas that a person's jobs count for: their own or the default one, and those of their groups. */
export function limitsOf(
  { users, groups, default: usual }: LabSettings["quotas"],
  { name, groups: theirs }: Pick<UserAccess, "name" | "groups">,
  kind: SlotKind,
): Limit[] {
  const own = (Object.hasOwn(users, name) ? users[name] : undefined)?.[kind] ?? usual[kind];
  const limits: Limit[] = own === undefined ? [] : [{ account: `user/${name}`, kind, most: own }];
  for (const group of theirs) {
    const most = (Object.hasOwn(groups, group) ? groups[group] : undefined)?.[kind];
    if (most !== undefined) limits.push({ account: `group/${group}`, kind, most });
  }
  return limits;
}

export const hasQuotas = ({ users, groups, default: usual }: LabSettings["quotas"]): boolean =>
  [usual, ...Object.values(users), ...Object.values(groups)].some(
    ({ running, waiting }) => running !== undefined || waiting !== undefined,
  );

/** For people: `user alice: 2 running jobs`. */
export const limitText = ({ account, kind, most }: Limit): string =>
  `${account.replace("/", " ")}: ${most} ${kind} job${most === 1 ? "" : "s"}`;

/** Why a job does not begin whose submitter's quota is used up, or has not enough left for all `jobs` of its group. */
export function quotaObstacle(limit: Limit, jobs = 1): Obstacle {
  const group = jobs === 1 ? "a job" : `the ${jobs} jobs of the group`;
  const how =
    limit.most < jobs
      ? `kept back for ever by a quota that has no place for ${group}`
      : `kept back by a quota${jobs === 1 ? "" : `, which has not enough left for ${group}`}`;
  return { code: "quota", bars: "job", text: `${how}, ${limitText(limit)} at a time` };
}

/** The quota that has no place for so many jobs, however few others there are. */
export const tooSmall = (limits: readonly Limit[], jobs: number): Limit | undefined =>
  limits.find(({ most }) => most < jobs);

export interface Taken {
  /** Names of slots, for the record of each job. */
  readonly slots: ReadonlyMap<number, readonly string[]>;
  /** For the transaction that each job is in; a conflict may mean that somebody was quicker: take anew. */
  readonly operationsOf: (job: number) => Operation[];
}

/** A slot of each quota for each of some jobs, or the quota that has not enough left. */
export async function takeSlots(
  deps: Deps,
  limits: readonly Limit[],
  jobs: readonly number[],
): Promise<Taken | { full: Limit }> {
  const slots = new Map<number, string[]>(jobs.map((id) => [id, []]));
  for (const limit of limits) {
    const free = await freeSlots(deps, limit);
    if (free.length < jobs.length) return { full: limit };
    // Not the first ones: those are where others look as well.
    const start = Number.parseInt(deps.system.id().slice(8), 16) % free.length;
    for (const [index, id] of jobs.entries()) {
      const slot = free[(start + index) % free.length] ?? 0;
      slots.get(id)?.push(slotName(limit, slot));
    }
  }
  const operationsOf = (id: number): Operation[] =>
    (slots.get(id) ?? []).map((name) => ({ put: slotItem(name, id), when: "absent" }));
  return { slots, operationsOf };
}

/** The first quota that has fewer slots left than so many jobs need. */
export async function fullLimit(
  deps: Deps,
  limits: readonly Limit[],
  jobs = 1,
): Promise<Limit | undefined> {
  for (const limit of limits) {
    if ((await freeSlots(deps, limit)).length < jobs) return limit;
  }
  return undefined;
}

async function freeSlots(deps: Deps, { account, kind, most }: Limit): Promise<number[]> {
  const taken = new Set<string>();
  const range = { from: `${kind}#`, to: `${kind}#~`, limit: 1000 };
  for await (const { key } of queryAll(deps, "main", slotKey(account, "").partition, range)) {
    taken.add(key.sort);
  }
  // A quota that was made smaller is full until enough of the jobs before have ended.
  if (taken.size >= most) return [];
  const sorts = Array.from({ length: most }, (_, slot) => slot);
  return sorts.filter((slot) => !taken.has(sortOf(kind, slot))).slice(0, most - taken.size);
}

/** Of which kinds a job has slots in a state: one that is being given a device with the others of its group has both. */
const kindsIn = (state: JobRecord["state"]): readonly string[] => {
  if (state === "Submitted") return ["waiting"];
  if (state === "Scheduling") return ["waiting", "running"];
  return state === "Finished" ? [] : ["running"];
};

/** For the transaction that changes a job: the slots that it has no more. */
export function freedSlots(before: JobRecord | undefined, after: JobRecord): Operation[] {
  if (!before) return [];
  const [had, has] = [kindsIn(before.state), kindsIn(after.state)];
  return (before.quota_slots ?? [])
    .filter((name) => had.includes(kindIn(name)) && !has.includes(kindIn(name)))
    .map((name) => ({ delete: keyOfSlot(name) }));
}

/** What a job has of its quotas in its state, of the slots that it had in another one; for its record. */
export function slotsIn({ state, quota_slots = [] }: JobRecord): Pick<JobRecord, "quota_slots"> {
  const slots = quota_slots.filter((name) => kindsIn(state).includes(kindIn(name)));
  return slots.length === 0 ? {} : { quota_slots: slots };
}

/** Remembers that a quota holds jobs of a device type back: whoever gives a slot back asks for a pass of it. */
export async function noteHeld(deps: Deps, limit: Limit, deviceType: string): Promise<void> {
  const name = `${limit.account}#held#${deviceType}`;
  await unlessInTheWay(deps.table.transact([{ put: slotItem(name, 0) }]));
}

/** After the end of a job: asks for the passes of those whom its quotas held back. A crash before leaves that to the tick's rounds. */
export async function announceSlots(deps: Deps, { quota_slots = [] }: JobRecord): Promise<void> {
  const accounts = new Set(quota_slots.map((name) => name.slice(0, name.indexOf("#"))));
  for (const account of accounts) {
    const range = { from: "held#", to: "held#~" };
    const { partition } = slotKey(account, "");
    for await (const { key } of queryAll(deps, "main", partition, range)) {
      await unlessInTheWay(deps.table.transact([{ delete: key }]));
      await deps.signals.requestPass(key.sort.slice("held#".length));
    }
  }
}

/** Who is in the way does the same, or what makes another pass anyway. */
async function unlessInTheWay(written: Promise<void>): Promise<void> {
  try {
    await written;
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
  }
}

export const slotItem = (name: string, job: number): NewItem => ({
  key: keyOfSlot(name),
  data: { name, job },
});

/** Whether a job has a slot of this name, and is in the state that it counts. */
export const holdsSlot = ({ state, quota_slots = [] }: JobRecord, name: string): boolean =>
  quota_slots.includes(name) && kindsIn(state).includes(kindIn(name));

const sortOf = (kind: SlotKind, slot: number): string => `${kind}#${String(slot).padStart(6, "0")}`;
const slotName = ({ account, kind }: Limit, slot: number): string =>
  `${account}#${sortOf(kind, slot)}`;
const kindIn = (name: string): string => name.split("#")[1] ?? "";
const keyOfSlot = (name: string) =>
  slotKey(name.slice(0, name.indexOf("#")), name.slice(name.indexOf("#") + 1));
