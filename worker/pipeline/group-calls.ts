import type { TimeoutMapping } from "#protocol/timeouts.ts";
import type { ActionLog, JobContext } from "./action.ts";
import { groupSeconds, multinodeSettings, type GroupCall, type GroupData } from "./group.ts";
import { requireGroup } from "./group-start.ts";
import { JobFailure } from "./job-failure.ts";
import { slot, type Slots } from "./slot.ts";

/** A call to the group that a block makes just before one of its actions (MULTINODE.md 3, "Action-level"). */
export interface PlannedCall {
  readonly request: (typeof REQUESTS)[number];
  readonly messageId: string;
  /** Of a send: what is said. Else: which keys of the answer are kept (those whose value begins with `$`). */
  readonly message: ReadonlyMap<string, string>;
  readonly timeoutSeconds: number;
}

const REQUESTS = ["lava-send", "lava-wait", "lava-wait-all", "lava-sync"] as const;
/** LAVA's, for calls that name none (MULTINODE.md 3). */
export const CALL_SECONDS = 30;

/** What calls of this namespace have been told so far, by message id. */
export const groupMessagesSlot =
  slot<ReadonlyMap<string, ReadonlyMap<string, string>>>("group-messages");

/**
 * The calls that a block makes before the action of this name.
 *
 * @throws JobFailure Job for one that can't be made.
 */
export function groupCallsOf(
  job: JobContext,
  block: { readonly protocols?: unknown },
  actionName: string,
): readonly PlannedCall[] {
  const settings = multinodeSettings(job.definition);
  const protocols = block.protocols as Record<string, unknown> | null | undefined;
  const entries = protocols?.["lava-multinode"];
  if (!settings || !Array.isArray(entries)) return [];
  return (entries as (Record<string, unknown> | null)[])
    .filter((entry) => entry?.["action"] === actionName)
    .map((entry) => plannedCall(entry ?? {}, settings.timeout));
}

function plannedCall(
  entry: Readonly<Record<string, unknown>>,
  timeout: TimeoutMapping | undefined,
): PlannedCall {
  const where = `protocols.lava-multinode of action ${String(entry["action"])}`;
  const request = REQUESTS.find((known) => known === entry["request"]);
  if (!request) {
    const message = `${where}: request: expected ${REQUESTS.join(", ")}, not ${String(entry["request"])}`;
    throw new JobFailure("Job", message);
  }
  const { messageID } = entry;
  if (typeof messageID !== "string" || !/^[^\s>]+$/.test(messageID)) {
    const message = `${where}: messageID: expected a name without spaces and without >`;
    throw new JobFailure("Job", message);
  }
  const message = Object.entries((entry["message"] ?? {}) as Record<string, unknown>);
  return {
    request,
    messageId: messageID,
    message: new Map(message.map(([key, value]) => [key, String(value)])),
    timeoutSeconds: groupSeconds(
      (entry["timeout"] as TimeoutMapping | undefined) ?? timeout,
      CALL_SECONDS,
    ),
  };
}

/**
 * Makes the calls, one after the other, and keeps what they have been told.
 *
 * @throws JobFailure MultinodeTimeout when nobody answers in the call's time, Job when the answer is not what it must be.
 */
export async function makeGroupCalls(
  calls: readonly PlannedCall[],
  { job, slots, log, signal }: GroupCaller,
): Promise<void> {
  for (const call of calls) {
    const { request, messageId, timeoutSeconds } = call;
    log.debug(`lava-multinode: ${request} ${messageId} (timeout ${timeoutSeconds} seconds)`);
    const asked = asGroupCall(call, slots);
    const answer = await requireGroup(job).call(asked, { timeoutSeconds, signal, log });
    if (answer.kind === "timeout") {
      const message = `lava-multinode: ${request} ${messageId} timed out after ${timeoutSeconds} seconds`;
      throw new JobFailure("MultinodeTimeout", message);
    }
    if (answer.kind === "nack") {
      throw new JobFailure("Job", `lava-multinode: ${request} ${messageId}: ${answer.message}`);
    }
    keep(slots, call, answer.data);
  }
}

export interface GroupCaller {
  readonly job: JobContext;
  readonly slots: Slots;
  readonly log: ActionLog;
  readonly signal: AbortSignal;
}

function asGroupCall({ request, messageId: id, message }: PlannedCall, slots: Slots): GroupCall {
  if (request === "lava-wait") return { op: "wait", id };
  if (request === "lava-wait-all") return { op: "wait-all", id };
  if (request === "lava-sync") return { op: "sync", id };
  const known = slots.find(groupMessagesSlot) ?? new Map();
  const data = [...message].map(([key, value]) => [key, told(known, value) ?? value] as const);
  return { op: "send", id, data: new Map(data) };
}

/** What `$name` stands for. */
function told(
  known: ReadonlyMap<string, ReadonlyMap<string, string>>,
  value: string,
): string | undefined {
  if (!value.startsWith("$")) return undefined;
  return [...known.values()].findLast((data) => data.has(value.slice(1)))?.get(value.slice(1));
}

/** Of several senders, the first one's (MULTINODE.md 3). */
function keep(slots: Slots, { request, messageId, message }: PlannedCall, data: GroupData): void {
  if (request !== "lava-wait" && request !== "lava-wait-all") return;
  const [first] = data;
  const [sender = "", said = new Map<string, string>()] = first ?? [];
  const kept = new Map<string, string>();
  for (const [key, value] of message) {
    if (!value.startsWith("$")) continue;
    const found = said.get(key);
    if (found === undefined) {
      const has = [...said.keys()].join(", ") || "nothing";
      const text = `lava-multinode: ${request} ${messageId}: expected a value of ${key} in what job ${sender} sent, which has ${has}`;
      throw new JobFailure("Job", text);
    }
    kept.set(key, found);
  }
  slots.put(
    groupMessagesSlot,
    new Map([...(slots.find(groupMessagesSlot) ?? []), [messageId, kept]]),
  );
}
