import * as v from "valibot";
import { sendRequestSchema } from "#protocol/multinode.ts";
import { AppError } from "../../domain/app-error.ts";
import { findClosed } from "../../domain/closed-lab.ts";
import type { Deps } from "../../domain/deps.ts";
import {
  findMessage,
  findMessages,
  finishMember,
  joinGroup,
  sendMessage,
  type Caller,
} from "../../domain/group-calls.ts";
import { findGroup, type SyncPointRecord } from "../../domain/group-record.ts";
import { findJobItem } from "../../domain/job-record.ts";
import { syncPointKey } from "../../domain/multinode-keys.ts";
import { syncAt } from "../../domain/sync-point.ts";
import { workerKey } from "../../domain/keys.ts";
import type { WorkerRecord } from "../../domain/worker-record.ts";

const name = v.pipe(v.string(), v.maxLength(200));
const messageID = sendRequestSchema.entries.message_id;
/** What LAVA's runner says to its coordinator (MULTINODE.md 2), as far as it is looked at. */
const callSchema = v.variant("request", [
  v.object({ request: v.literal("group_data") }),
  v.object({
    request: v.literal("lava_send"),
    messageID,
    message: v.nullish(sendRequestSchema.entries.data, {}),
  }),
  v.object({ request: v.literal("lava_wait"), messageID }),
  v.object({ request: v.literal("lava_wait_all"), messageID, waitrole: v.nullish(name) }),
  v.object({ request: v.literal("lava_sync"), messageID }),
  v.object({ request: v.literal("clear_group") }),
]);
const whoSchema = v.object({
  client_name: v.pipe(
    v.union([v.string(), v.number()]),
    v.transform(String),
    v.regex(/^\d{1,12}$/),
  ),
  group_name: name,
});

/** In LAVA's words. */
export interface CoordinatorReply {
  response: "ack" | "nack" | "wait" | "group_data";
  message?: unknown;
  roles?: Record<string, string>;
}

/**
 * The answer to what a stock worker's runner asks a lava-coordinator: from the same state as our own workers' runners get theirs, so
 * that a group may have devices of both. There is no password in LAVA's protocol: who knows the id of a group speaks for its jobs that
 * run on stock workers, and for no others. `nack` for whatever is none of theirs.
 */
export async function answerCall(deps: Deps, said: unknown): Promise<CoordinatorReply> {
  const call = v.safeParse(callSchema, said);
  const caller = call.success ? await callerIn(deps, said) : undefined;
  if (!call.success || !caller) return { response: "nack" };
  // A lab that moves stands still: who is told to wait asks again.
  if (await findClosed(deps)) return { response: "wait" };
  try {
    return await reply(deps, caller, call.output);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { response: "nack", message: error.message };
  }
}

async function callerIn(deps: Deps, said: unknown): Promise<Caller | undefined> {
  const who = v.safeParse(whoSchema, said);
  if (!who.success) return undefined;
  const { client_name, group_name } = who.output;
  const job = (await findJobItem(deps, Number(client_name)))?.data;
  if (!job?.group || job.group !== group_name || job.worker === undefined) return undefined;
  if (job.state !== "Running" && job.state !== "Canceling") return undefined;
  const [worker, group] = await Promise.all([
    deps.table.get<WorkerRecord>(workerKey(job.worker)),
    findGroup(deps, job.group),
  ]);
  if (worker?.data.kind !== "stock" || !group) return undefined;
  return { group: group.data, jobId: job.id };
}

async function reply(
  deps: Deps,
  caller: Caller,
  call: v.InferOutput<typeof callSchema>,
): Promise<CoordinatorReply> {
  switch (call.request) {
    case "group_data":
      return joinGroup(deps, caller);
    case "lava_send":
      return sendMessage(deps, caller, { message_id: call.messageID, data: call.message ?? {} });
    case "lava_wait":
      return inItsWords(await findMessage(deps, caller, { message_id: call.messageID }));
    case "lava_wait_all": {
      const role = call.waitrole ? { role: call.waitrole } : {};
      return inItsWords(await findMessages(deps, caller, { message_id: call.messageID, ...role }));
    }
    case "lava_sync": {
      const point = {
        message_id: call.messageID,
        call: await callAt(deps, caller, call.messageID),
      };
      const { response } = await syncAt(deps, caller, point);
      return response === "ack" ? { response, message: call.messageID } : { response };
    }
    case "clear_group":
      return finishMember(deps, caller);
  }
}

function inItsWords({
  response,
  ...rest
}: Awaited<ReturnType<typeof findMessage>>): CoordinatorReply {
  return "data" in rest ? { response, message: rest.data } : { response };
}

/** LAVA's runner does not number its calls: it asks again until it is let go, and what it asks afterwards is another call. */
async function callAt(deps: Deps, { group, jobId }: Caller, messageId: string): Promise<number> {
  const key = syncPointKey(group.id, deps.system.hash(messageId));
  const point = (await deps.table.get<SyncPointRecord>(key))?.data;
  const last = point?.released[jobId];
  const waiting = point?.joined[jobId] ?? (last && !last.told ? last.call : undefined);
  return waiting ?? (last?.call ?? 0) + 1;
}
