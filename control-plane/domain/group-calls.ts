import {
  MAX_HOLD_SECONDS,
  MAX_MESSAGE_BYTES,
  MAX_MESSAGES,
  MAX_SYNC_POINTS,
  type AckReply,
  type GroupReply,
  type MessageReply,
  type SendRequest,
  type WaitAllRequest,
  type WaitReply,
  type WaitRequest,
} from "#protocol/multinode.ts";
import type { Item, Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import {
  findGroup,
  memberItem,
  messageItem,
  type GroupRecord,
  type MemberRecord,
  type MessageRecord,
} from "./group-record.ts";
import { getReportedItem } from "./job-token.ts";
import { memberKey, messageKey, multinodeKey } from "./multinode-keys.ts";
import type { Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";

/** Pause of those whose questions are not held back. */
const POLL_SECONDS = 2;

/** Who asks: a job, in its group. */
export interface Caller {
  readonly group: GroupRecord;
  readonly jobId: number;
}

/**
 * The job of the token, in its group. Throws `forbidden`, `not_found`, `conflict` for a job that is in no group, `gone` for one
 * that has ended: whatever it still says, nobody waits for it.
 */
export async function callerOf(deps: Deps, principal: Principal, id: number): Promise<Caller> {
  const { data: job } = await getReportedItem(deps, principal, id);
  if (job.group === undefined) throw new AppError("conflict", `job ${id} is in no multinode group`);
  const group = await findGroup(deps, job.group);
  if (!group || job.state === "Finished") throw new AppError("gone", `job ${id} has ended`);
  return { group: group.data, jobId: id };
}

/** `group`: a member has begun; answered with all roles when all have (MULTINODE.md 3). Again changes nothing. */
export async function joinGroup(deps: Deps, { group, jobId }: Caller): Promise<GroupReply> {
  const isNew = await writeMember(deps, group, jobId, (member) => member);
  if (isNew) await ringGroup(deps, group);
  const started = await ofPartition<MemberRecord>(deps, group, "member#");
  if (started.length < group.members.length) return WAIT;
  const roles = group.members.map(({ job_id, role }) => [String(job_id), role] as const);
  return { response: "group_data", roles: Object.fromEntries(roles) };
}

/**
 * `send`: from now on every member has the message, however late it asks. Throws `too_large`, and `conflict` when the member has
 * sent too many.
 */
export async function sendMessage(
  deps: Deps,
  { group, jobId }: Caller,
  { message_id, data, call }: SendRequest,
): Promise<AckReply> {
  const words = Object.entries(data).flat().join("");
  if (new TextEncoder().encode(words).length > MAX_MESSAGE_BYTES) {
    const message = `message ${message_id} is too long: keys and values have at most ${MAX_MESSAGE_BYTES} bytes`;
    throw new AppError("too_large", message);
  }
  const record: MessageRecord = {
    ...{ message_id, sender: jobId, data },
    ...(call === undefined ? {} : { call }),
  };
  const key = messageKey(group.id, deps.system.hash(message_id), jobId);
  await retrying(async () => {
    const before = await deps.table.get<MessageRecord>(key);
    const earlier = before?.data.call;
    // A request that was long on its way: the member has sent something else under this id meanwhile.
    if (call !== undefined && earlier !== undefined && earlier > call) return;
    const put = messageItem(deps, group.id, record);
    if (before) return deps.table.transact([{ put, when: { version: before.version } }]);
    const counted = await countNew(deps, group, jobId, "messages");
    await deps.table.transact([{ put, when: "absent" }, counted]);
  });
  await ringGroup(deps, group);
  return { response: "ack" };
}

/** `wait`: what has been sent under the id so far, once somebody has, be it the one who asks. */
export async function findMessage(
  deps: Deps,
  { group }: Caller,
  { message_id }: Pick<WaitRequest, "message_id">,
): Promise<MessageReply> {
  const sent = await messagesOf(deps, group, message_id);
  return sent.length === 0 ? WAIT : withData(sent);
}

/**
 * `wait-all`: what has been sent under the id, once all members have, or all of a role. Refused when nobody has, and no role is
 * named: whoever asks is to send first (MULTINODE.md 2). A role's members are awaited all of them, where LAVA was content with the
 * first (MULTINODE.md 5).
 */
export async function findMessages(
  deps: Deps,
  { group }: Caller,
  { message_id, role }: Pick<WaitAllRequest, "message_id" | "role">,
): Promise<MessageReply> {
  const awaited = group.members.filter((member) => role === undefined || member.role === role);
  if (awaited.length === 0) return nack(`the group has no role ${JSON.stringify(role)}`);
  const sent = await messagesOf(deps, group, message_id);
  if (sent.length === 0 && role === undefined) return nack(`nobody has sent ${message_id} yet`);
  const senders = new Set(sent.map(({ sender }) => sender));
  return awaited.every(({ job_id }) => senders.has(job_id)) ? withData(sent) : WAIT;
}

/** `finish`: a member asks no more. Nobody is kept from anything by it; the group's end is that of its jobs. */
export async function finishMember(deps: Deps, { group, jobId }: Caller): Promise<AckReply> {
  const finished = new Date(deps.system.now()).toISOString();
  await writeMember(deps, group, jobId, (member) => ({ finished, ...member }));
  return { response: "ack" };
}

/**
 * Asks again whenever somebody has said something, until the answer is another than `wait`, `hold_seconds` are over or `signal` is
 * aborted; at once where answers are not held back, and says then when to ask again.
 */
export async function holdBack<R extends { response: string }>(
  deps: Deps,
  { group }: Caller,
  { hold_seconds }: { hold_seconds: number },
  ask: () => Promise<R | WaitReply>,
  signal?: AbortSignal,
): Promise<R | WaitReply> {
  const longest = Math.min(hold_seconds, MAX_HOLD_SECONDS, deps.settings.logHoldSeconds);
  const deadline = deps.system.now() + longest * 1000;
  const listener = deps.signals.listen(`multinode/${group.id}`);
  try {
    for (;;) {
      const reply = await ask();
      if (reply.response !== "wait") return reply;
      const left = deadline - deps.system.now();
      if (left <= 0 || !(await listener.rung(left, signal))) {
        return deps.settings.logHoldSeconds > 0 ? reply : { ...WAIT, poll_seconds: POLL_SECONDS };
      }
    }
  } finally {
    listener.close();
  }
}

export const WAIT: WaitReply = { response: "wait" };

export const ringGroup = (deps: Deps, { id }: GroupRecord): Promise<void> =>
  deps.signals.ring(`multinode/${id}`);

const nack = (message: string): MessageReply => ({ response: "nack", message });

const withData = (sent: MessageRecord[]): MessageReply => ({
  response: "ack",
  data: Object.fromEntries(sent.map(({ sender, data }) => [String(sender), data])),
});

const messagesOf = (deps: Deps, group: GroupRecord, messageId: string) =>
  ofPartition<MessageRecord>(deps, group, `message#${deps.system.hash(messageId)}#`);

async function ofPartition<T>(deps: Deps, { id }: GroupRecord, prefix: string): Promise<T[]> {
  const found: T[] = [];
  const range = { from: prefix, to: `${prefix}~` };
  for await (const { data } of queryAll<T>(deps, "main", multinodeKey(id).partition, range)) {
    found.push(data);
  }
  return found;
}

/** Writes what `change` makes of the member's record, which is made when it is not there; says whether it was. */
async function writeMember(
  deps: Deps,
  group: GroupRecord,
  jobId: number,
  change: (member: MemberRecord) => MemberRecord,
): Promise<boolean> {
  return retrying(async () => {
    const item = await deps.table.get<MemberRecord>(memberKey(group.id, jobId));
    const now = new Date(deps.system.now()).toISOString();
    const member = change(item?.data ?? { job_id: jobId, started: now, messages: 0 });
    if (item && JSON.stringify(member) === JSON.stringify(item.data)) return false;
    await deps.table.transact([putMember(deps, group, member, item)]);
    return !item;
  });
}

const MOST = { messages: MAX_MESSAGES, sync_points: MAX_SYNC_POINTS };

/** Counts one more item that a member makes. Throws `conflict` when it has made too many. */
export async function countNew(
  deps: Deps,
  group: GroupRecord,
  jobId: number,
  what: keyof typeof MOST,
): Promise<Operation> {
  const item = await deps.table.get<MemberRecord>(memberKey(group.id, jobId));
  const started = new Date(deps.system.now()).toISOString();
  const member = item?.data ?? { job_id: jobId, started, messages: 0 };
  const made = member[what] ?? 0;
  if (made >= MOST[what]) {
    const name =
      what === "messages" ? "sent different messages" : "been the first at points to sync at";
    const message = `job ${jobId} has ${name} ${MOST[what]} times, which is the most: use names again`;
    throw new AppError("conflict", message);
  }
  return putMember(deps, group, { ...member, [what]: made + 1 }, item);
}

const putMember = (
  deps: Deps,
  group: GroupRecord,
  member: MemberRecord,
  item: Item<MemberRecord> | undefined,
): Operation => ({
  put: memberItem(deps, group.id, member),
  when: item ? { version: item.version } : "absent",
});
