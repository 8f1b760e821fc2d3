import * as v from "valibot";
import {
  ackReplySchema,
  groupReplySchema,
  MAX_HOLD_SECONDS,
  messageReplySchema,
  syncPointReplySchema,
  type WaitReply,
} from "#protocol/multinode.ts";
import type { CallOptions, Group, GroupAnswer, GroupCall, GroupData } from "../pipeline/group.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { HttpError, type HttpClient } from "./http-client.ts";

/** How long the server may be late with an answer that it held back. */
const HOLD_MARGIN_MS = 15_000;
/** A message of each member, escaped. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
/** An answer may take so long when the call's own time is over. */
const LAST_LOOK_MS = 2_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** A server that is busy may put us off, but not past the call's own time for nothing. */
const LONGEST_POLL_MS = 20_000;

/** The group of a job, asked for at the control plane with the job's token (multinode.ts). */
export function multinodeClient(
  http: Pick<HttpClient, "request">,
  job: { readonly id: number; readonly token: string },
): Group {
  let roles: ReadonlyMap<string, string> = new Map();
  let calls = 0;
  const ask = <Reply>(
    op: string,
    json: Record<string, unknown>,
    schema: v.GenericSchema<unknown, Reply | WaitReply>,
    options: CallOptions,
  ) => asked(http, job, { op, json, schema }, options);

  return {
    get roles() {
      return roles;
    },
    start: async (options) => {
      const reply = await ask("group", {}, groupReplySchema, options);
      if (reply.response === "timeout") return "timeout";
      if (reply.response === "group_data") roles = new Map(Object.entries(reply.roles));
      return "started";
    },
    call: async (call, options) => {
      const json = { ...wireOf(call), call: ++calls };
      const reply =
        call.op === "send"
          ? await ask("send", json, ackReplySchema, options)
          : call.op === "sync"
            ? await ask("sync", json, syncPointReplySchema, options)
            : await ask(call.op, json, messageReplySchema, options);
      return answerOf(reply);
    },
    finish: async (options) => {
      await ask("finish", {}, ackReplySchema, options);
    },
  };
}

function wireOf(call: GroupCall): Record<string, unknown> {
  const message_id = call.id;
  if (call.op === "send") return { message_id, data: Object.fromEntries(call.data) };
  if (call.op === "wait-all" && call.role !== undefined) return { message_id, role: call.role };
  return { message_id };
}

type Settled = { response: "timeout" } | { response: "ack" } | { response: "wait" };
type MessageReply = v.InferOutput<typeof messageReplySchema>;

function answerOf(reply: Settled | MessageReply): GroupAnswer {
  if (reply.response === "nack") return { kind: "nack", message: reply.message };
  if (reply.response !== "ack") return { kind: "timeout" };
  return { kind: "ack", data: "data" in reply ? dataOf(reply.data) : new Map() };
}

const dataOf = (data: Readonly<Record<string, Readonly<Record<string, string>>>>): GroupData =>
  new Map(
    Object.entries(data).map(
      ([sender, pairs]) => [sender, new Map(Object.entries(pairs))] as const,
    ),
  );

interface Question<Reply> {
  readonly op: string;
  readonly json: Record<string, unknown>;
  readonly schema: v.GenericSchema<unknown, Reply | WaitReply>;
}

/** A timer may end so much too early: nothing is left then. */
const TIMER_MS = 5;

/** Asks until there is an answer other than `wait`, or the time is over. */
async function asked<Reply>(
  http: Pick<HttpClient, "request">,
  { id, token }: { readonly id: number; readonly token: string },
  { op, json, schema }: Question<Reply>,
  { timeoutSeconds, signal, log }: CallOptions,
): Promise<Reply | WaitReply | { response: "timeout" }> {
  const ends = performance.now() + timeoutSeconds * 1000;
  let pauseMs = FIRST_PAUSE_MS;
  let isAway = false;
  // Who was told to ask later looks once more at the end: what came meanwhile was in time.
  let looksOnce = true;
  for (;;) {
    const untilEnd = ends - performance.now();
    const leftMs = untilEnd < TIMER_MS ? 0 : untilEnd;
    if (leftMs === 0 && !looksOnce) return { response: "timeout" };
    const hold_seconds = Math.min(MAX_HOLD_SECONDS, leftMs / 1000);
    let waitMs: number;
    try {
      const answer = await http.request({
        method: "POST",
        url: `api/v1/jobs/${id}/multinode/${op}`,
        token,
        json: op === "send" || op === "finish" ? json : { ...json, hold_seconds },
        timeoutMs: Math.min(hold_seconds * 1000 + HOLD_MARGIN_MS, leftMs + LAST_LOOK_MS),
        maxAnswerBytes: MAX_ANSWER_BYTES,
        signal,
      });
      const reply = v.parse(schema, answer);
      if (!isWait(reply)) return reply;
      if (isAway) log.debug(`multinode ${op}: the control plane answers again`);
      isAway = false;
      pauseMs = FIRST_PAUSE_MS;
      waitMs = Math.min((reply.poll_seconds ?? 0) * 1000, LONGEST_POLL_MS);
      looksOnce = waitMs > 0 && leftMs > 0;
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() >= ends) return { response: "timeout" };
      throwRefusal(error);
      const said = error instanceof Error ? error.message : String(error);
      if (!isAway) log.warning(`multinode ${op}: ${said}; asking again until its time is over`);
      isAway = true;
      looksOnce = false;
      const asks = error instanceof HttpError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
      waitMs = Math.max(pauseMs * (0.5 + Math.random() / 2), Math.min(asks, LONGEST_POLL_MS));
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
    await pause(Math.min(waitMs, ends - performance.now()), signal);
  }
}

const isWait = (reply: unknown): reply is WaitReply =>
  (reply as { response?: unknown }).response === "wait";

/** Only who speaks as a control plane does can refuse: a proxy's page is as good as no answer. */
function throwRefusal(error: unknown): void {
  if (!(error instanceof HttpError)) return;
  const { status, message, body } = error;
  const isOurs = typeof (body as { code?: unknown } | undefined)?.code === "string";
  if (!isOurs || status < 400 || status >= 500 || [408, 425, 429].includes(status)) return;
  const isOver = [401, 403, 404, 410].includes(status);
  throw new JobFailure(isOver ? "Canceled" : "Job", `lava-multinode: ${message}`, { cause: error });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
}
