import type { Item, NewItem, Operation } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { dueKey } from "./keys.ts";
import {
  memberKey,
  messageKey,
  multinodeDueKey,
  multinodeKey,
  syncPointKey,
} from "./multinode-keys.ts";

/** The jobs of a multinode group, from their submission on; what they say to each other are items of their own. */
export interface GroupRecord {
  /** LAVA's `target_group`, a UUID. */
  id: string;
  submitter: string;
  submit_time: string;
  /** In the order of their sub ids. */
  members: GroupMember[];
  /** What is being done with it in several transactions; absent: nothing. */
  phase?: GroupPhase;
  /** When the last of its jobs was found to have ended; nothing is left to be done about it then. */
  ended?: string;
}

/**
 * A large group is written, and begins, in several transactions, each of which checks that the group's record is as it was: so who
 * changes it stops whoever was at it. What a crash has cut short is ended, forwards or backwards, by whoever comes to the group
 * after `until`, which is in the tick's list. `forming`: its jobs are being written; `unmade`: that was given up. `reserving`: its
 * jobs are being given devices, in state Scheduling; `releasing`: that was given up; `begun`: all have one, and are Scheduled now.
 */
export interface GroupPhase {
  name: "forming" | "unmade" | "reserving" | "releasing" | "begun";
  until: string;
  /** That a group takes which is reserving. */
  devices?: string[];
}

export interface GroupMember {
  job_id: number;
  /** `4212.1`: the first job's id, and which of them it is. */
  sub_id: string;
  role: string;
  /** When it ends Incomplete, the others are canceled. */
  essential: boolean;
  /** Of a dynamic role: the job whose device it connects to. */
  host_job?: number;
}

/** A member that was started: it has asked for its group. */
export interface MemberRecord {
  job_id: number;
  started: string;
  /** It asks no more. */
  finished?: string;
  /** Different messages that it has sent. */
  messages: number;
  /** Points to sync at that it was the first to name; none without it. */
  sync_points?: number;
}

export interface MessageRecord {
  message_id: string;
  sender: number;
  data: Record<string, string>;
  /** The call that sent it. */
  call?: number;
}

/** That somebody is to look at a group. */
export interface DueRecord {
  group: string;
}

/** A meeting point of all members, which may meet there again and again. By job id. */
export interface SyncPointRecord {
  message_id: string;
  /** Who waits, and in which call. */
  joined: Record<string, number>;
  /** Of the last meeting: the call that was let go or, where nobody has asked since, shall be. */
  released: Record<string, { call: number; told: boolean }>;
}

export const groupItem = (group: GroupRecord, expires?: string): NewItem => ({
  key: multinodeKey(group.id),
  data: group,
  keys: {
    ...(group.ended === undefined ? { i1: { partition: "open-multinode", sort: group.id } } : {}),
    ...(group.phase === undefined ? {} : { i2: dueKey(group.phase.until, group.id) }),
  },
  ...(expires === undefined ? {} : { expires: Date.parse(expires) }),
});

/** No group lasts that long: what is said just after its end, when the rest has been forgotten, does not stay for ever. */
const PART_KEPT_MS = 400 * 24 * 60 * 60 * 1000;
const expiryOfPart = ({ system }: Deps) => ({ expires: system.now() + PART_KEPT_MS });

export const memberItem = (deps: Deps, group: string, data: MemberRecord): NewItem => ({
  key: memberKey(group, data.job_id),
  data,
  ...expiryOfPart(deps),
});

export const messageItem = (deps: Deps, group: string, data: MessageRecord): NewItem => ({
  key: messageKey(group, deps.system.hash(data.message_id), data.sender),
  data,
  ...expiryOfPart(deps),
});

export const syncPointItem = (deps: Deps, group: string, data: SyncPointRecord): NewItem => ({
  key: syncPointKey(group, deps.system.hash(data.message_id)),
  data,
  ...expiryOfPart(deps),
});

export const findGroup = (deps: Deps, id: string): Promise<Item<GroupRecord> | undefined> =>
  deps.table.get<GroupRecord>(multinodeKey(id));

/** For the transaction in which a job ends badly or is canceled: its group is to be looked at, whoever dies meanwhile. */
export function groupDue({ system }: Deps, { group, state, health }: JobRecord): Operation[] {
  const isWell = state === "Finished" && health === "Complete";
  return group === undefined || isWell ? [] : [lookAtGroup(system, group)];
}

/** For a transaction after which somebody is to look at the group. */
export function lookAtGroup(system: Deps["system"], group: string): Operation {
  const key = multinodeDueKey(group, system.id());
  const data: DueRecord = { group };
  return { put: { key, data, keys: { i2: dueKey("0", key.sort) } }, when: "absent" };
}

/** The id of the job that a sub id (`4212.1`) names; undefined when it is none, or nobody's. */
export async function findSubJob(deps: Deps, subId: string): Promise<number | undefined> {
  const first = /^([1-9]\d{0,14})\.\d{1,3}$/.exec(subId)?.[1];
  if (first === undefined) return undefined;
  const job = await findJobItem(deps, Number(first));
  const group = job?.data.group === undefined ? undefined : await findGroup(deps, job.data.group);
  return group?.data.members.find(({ sub_id }) => sub_id === subId)?.job_id;
}

/** A UUID of chance (RFC 9562, version 4). */
export function newGroupId({ system }: Deps): string {
  const digits = system.hash(system.randomToken());
  const variant = "89ab"[Number.parseInt(digits[16] ?? "0", 16) % 4];
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
    digits.slice(20, 32),
  ].join("-");
}
