import type { SyncPointReply, SyncPointRequest } from "#protocol/multinode.ts";
import type { Deps } from "./deps.ts";
import { countNew, ringGroup, WAIT, type Caller } from "./group-calls.ts";
import { syncPointItem, type SyncPointRecord } from "./group-record.ts";
import { syncPointKey } from "./multinode-keys.ts";
import { retrying } from "./retrying.ts";

/**
 * `sync`: answered once all members have asked for the point, which is a new one from then on (MULTINODE.md 2, 5). A call counts
 * once however often it is repeated. Who gave up waiting stays counted; if the others came meanwhile, its next call is let go at
 * once. Throws `conflict` when the member has named too many points.
 */
export async function syncAt(
  deps: Deps,
  { group, jobId }: Caller,
  { message_id, call }: Pick<SyncPointRequest, "message_id" | "call">,
): Promise<SyncPointReply> {
  const key = syncPointKey(group.id, deps.system.hash(message_id));
  const { isLetGo, isMeeting } = await retrying(async () => {
    const item = await deps.table.get<SyncPointRecord>(key);
    const before = item?.data ?? { message_id, joined: {}, released: {} };
    const after = asked(before, String(jobId), call, group.members.length);
    if (after !== before) {
      const put = syncPointItem(deps, group.id, after);
      await deps.table.transact(
        item
          ? [{ put, when: { version: item.version } }]
          : [{ put, when: "absent" }, await countNew(deps, group, jobId, "sync_points")],
      );
    }
    const isMeeting = after.released !== before.released;
    return { isLetGo: after.released[jobId]?.call === call, isMeeting };
  });
  if (isMeeting) await ringGroup(deps, group);
  return isLetGo ? { response: "ack" } : WAIT;
}

/**
 * The point after a member has asked for it; the same object when it has asked so before, or something later: a request that was
 * long on its way must not stand for the member at the next meeting.
 */
export function asked(
  point: SyncPointRecord,
  member: string,
  call: number,
  members: number,
): SyncPointRecord {
  const { joined, released } = point;
  const last = released[member];
  if (call < Math.max(last?.call ?? 0, joined[member] ?? 0)) return point;
  if (last && (last.call === call || !last.told)) {
    if (last.call === call && last.told) return point;
    return { ...point, released: { ...released, [member]: { call, told: true } } };
  }
  if (joined[member] === call) return point;
  const all = { ...joined, [member]: call };
  if (Object.keys(all).length < members) return { ...point, joined: all };
  const letGo = Object.entries(all).map(
    ([id, one]) => [id, { call: one, told: id === member }] as const,
  );
  return { ...point, joined: {}, released: Object.fromEntries(letGo) };
}
