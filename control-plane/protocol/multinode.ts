import * as v from "valibot";
import { plainRecord } from "./plain-record.ts";

/*
 * What a member of a multinode group asks the control plane, with its job's token (MULTINODE.md 2 and 5):
 * `POST /api/v1/jobs/ID/multinode/{group,send,wait,wait-all,sync,finish}`. There is no coordinator: what the group has said
 * so far is in the table, so that the same question gets the same answer after a restart. Every answer is 200, a refusal is
 * a problem (`too_large`, `invalid`, `gone` when the job has ended).
 */

/** Of one message: its keys and values together, as UTF-8. */
export const MAX_MESSAGE_BYTES = 64 * 1024;
/** Different message ids that one member sends, at most. */
export const MAX_MESSAGES = 256;
/** Different ids to sync at that one member is the first to name, at most. */
export const MAX_SYNC_POINTS = 1024;
/** Jobs of a group: one transaction looks at all of them when they begin. */
export const MAX_MEMBERS = 90;
/** Longest time that an answer is held back. */
export const MAX_HOLD_SECONDS = 20;

/** It is a word of a line that is typed at a shell. */
const messageId = v.pipe(
  v.string(),
  v.regex(/^[^\s>]+$/, "expected a message id without spaces and without >"),
  v.maxLength(200, "expected a message id of at most 200 characters"),
);
/** Not `v.record`, which drops `prototype` and `constructor` without a word: a test may call its values so. */
const pairs = v.custom<Record<string, string>>(
  (input) =>
    typeof input === "object" &&
    input !== null &&
    !Array.isArray(input) &&
    Object.values(input).every((value) => typeof value === "string"),
  "expected keys, each with a text",
);
const isKey = (key: string): boolean => /^[^\s>=]+$/.test(key) && key.length <= 200;
const isValue = (value: string): boolean => /^[^\p{Cc}>]*$/u.test(value);
const messageData = v.pipe(
  pairs,
  v.check((data) => Object.keys(data).length <= 1000, "expected at most 1000 keys"),
  v.check(
    (data) => Object.keys(data).every(isKey),
    "expected keys without spaces, = and >, of at most 200 characters",
  ),
  v.check((data) => Object.values(data).every(isValue), "expected values of one line, without >"),
);
/**
 * Made up by the member, greater for each call that it begins, the same each time that it asks again in one call: however often
 * an answer gets lost, a call counts once.
 */
const call = v.pipe(v.number(), v.integer(), v.minValue(0));
/** How long the answer `wait` may be held back. */
const hold_seconds = v.optional(
  v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_HOLD_SECONDS)),
  MAX_HOLD_SECONDS,
);

/** `group`: I am here; who else? Answered when all members are. */
export const groupRequestSchema = v.object({ hold_seconds });
export type GroupRequest = v.InferOutput<typeof groupRequestSchema>;

/** `send`: again replaces what this member has sent under this id. */
export const sendRequestSchema = v.object({
  message_id: messageId,
  data: v.optional(messageData, {}),
  /** Without one, a request that arrives late may replace a later one. */
  call: v.optional(call),
});
export type SendRequest = v.InferOutput<typeof sendRequestSchema>;

/** `wait`: until any member, be it this one, has sent the message. */
export const waitRequestSchema = v.object({ message_id: messageId, call, hold_seconds });
export type WaitRequest = v.InferOutput<typeof waitRequestSchema>;

/** `wait-all`: until all members have sent it, or all of a role. */
export const waitAllRequestSchema = v.object({
  message_id: messageId,
  role: v.optional(v.pipe(v.string(), v.maxLength(200))),
  call,
  hold_seconds,
});
export type WaitAllRequest = v.InferOutput<typeof waitAllRequestSchema>;

/** `sync`: until all members have asked for it. The id can be used again afterwards. */
export const syncPointRequestSchema = v.object({ message_id: messageId, call, hold_seconds });
export type SyncPointRequest = v.InferOutput<typeof syncPointRequestSchema>;

/** Ask again with the same `call`, after `poll_seconds` where it is there (answers are not held back everywhere). */
const waitReply = v.object({
  response: v.literal("wait"),
  poll_seconds: v.optional(v.number()),
});
export type WaitReply = v.InferOutput<typeof waitReply>;

const ackReply = v.object({ response: v.literal("ack") });
const nackReply = v.object({ response: v.literal("nack"), message: v.string() });

/** Role by job id, of all members. */
export const groupReplySchema = v.variant("response", [
  v.object({ response: v.literal("group_data"), roles: plainRecord(v.string(), v.string()) }),
  waitReply,
]);
export type GroupReply = v.InferOutput<typeof groupReplySchema>;

/** Of `send` and `finish`. */
export const ackReplySchema = ackReply;
export type AckReply = v.InferOutput<typeof ackReplySchema>;

/** Of `wait` and `wait-all`: what has been sent under the id so far, by the job id of who sent it. */
export const messageReplySchema = v.variant("response", [
  v.object({
    response: v.literal("ack"),
    data: plainRecord(v.string(), pairs),
  }),
  waitReply,
  nackReply,
]);
export type MessageReply = v.InferOutput<typeof messageReplySchema>;

/** Of `sync`. */
export const syncPointReplySchema = v.variant("response", [ackReply, waitReply]);
export type SyncPointReply = v.InferOutput<typeof syncPointReplySchema>;
