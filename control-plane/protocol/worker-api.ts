import * as v from "valibot";
import { consoleTicketSchema } from "./consoles.ts";
import { endingEntries, errorTypeSchema } from "./failure.ts";
import { MAX_CHUNK_BYTES, MAX_CHUNK_RECORDS } from "./log-chunk.ts";
import { plainRecord } from "./plain-record.ts";

export { MAX_CHUNK_BYTES, MAX_CHUNK_RECORDS };

/** The worker protocol's version; the control plane serves a window of them (DESIGN.md 5). */
export const WORKER_PROTOCOL = 1;
/** The oldest that the control plane serves. */
export const OLDEST_WORKER_PROTOCOL: number = 1;

const jobId = v.pipe(v.number(), v.integer(), v.minValue(1));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** What the agent knows of one of its runners. `finished`: the runner ended, its log is not yet all shipped. */
export const runnerReportSchema = v.object({
  job_id: jobId,
  state: v.picklist(["running", "finished"]),
  /** The job waits, and a person may take its console meanwhile. */
  waits_for_person: v.optional(v.literal(true)),
});
export type RunnerReport = v.InferOutput<typeof runnerReportSchema>;

/** What a worker tells of the upgrade that it was offered. `state` is a text: a newer worker may know more of them. */
export const upgradeReportSchema = v.object({
  /** Of the offer. */
  id: v.pipe(v.string(), v.maxLength(100)),
  version: v.pipe(v.string(), v.maxLength(100)),
  /** `downloading`, `waiting` (to be told once more, then it swaps), `failed`, `rolled_back`. */
  state: v.pipe(v.string(), v.maxLength(20)),
  reason: v.optional(v.pipe(v.string(), v.maxLength(2000))),
  percent: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100))),
});
export type UpgradeReport = v.InferOutput<typeof upgradeReportSchema>;

/**
 * `POST /api/v1/worker/sync` (worker token): the agent's only loop. The answer is level-triggered:
 * the same question gives the same answer until something changed, so a lost answer costs nothing.
 */
export const syncRequestSchema = v.object({
  protocol: v.pipe(v.number(), v.integer()),
  /** Program version, for people. */
  version: v.pipe(v.string(), v.maxLength(100)),
  runners: v.pipe(v.array(runnerReportSchema), v.maxLength(1000)),
  /** Longest time the answer may be held back when there is nothing to do, seconds. 0: answer at once. */
  wait_seconds: v.pipe(v.number(), v.minValue(0), v.maxValue(60)),
  /**
   * Ways to wait that the agent knows beside a held-back answer. With one of them in `wait` of the answer, the answer
   * is not held back, whatever `wait_seconds` says.
   */
  waits: v.optional(v.pipe(v.array(v.string()), v.maxLength(10))),
  /** Digest from the last answer: an answer equal to it is "nothing to do" and is held back. */
  seen: v.optional(v.pipe(v.string(), v.maxLength(100))),
  /** What its file is made for (`linux-arm64`), when it can upgrade itself. */
  platform: v.optional(v.pipe(v.string(), v.maxLength(40))),
  /** Why it can't, for people; absent too in workers that know of no upgrades. */
  by_hand: v.optional(v.pipe(v.string(), v.maxLength(500))),
  upgrade: v.optional(upgradeReportSchema),
  /** Why it can't begin another job for now (its disk is full, its memory in use), for people; what it runs goes on. */
  no_jobs: v.optional(v.pipe(v.string(), v.maxLength(500))),
  /**
   * Which of a program's requests it is, each with a number greater than those before, and by what name the program goes until
   * it ends: what the network brings late is told by it from news. Absent in older workers.
   */
  report: v.optional(v.object({ run: v.pipe(v.string(), v.maxLength(40)), number: count })),
});
export type SyncRequest = v.InferOutput<typeof syncRequestSchema>;

/** All that a runner needs; from here on it needs the control plane only for reporting. */
export const ticketSchema = v.object({
  job_id: jobId,
  /** Job token: good for this job's log and finish, dead when the job has ended. */
  token: v.string(),
  /** The definition as submitted, YAML text. */
  definition: v.string(),
  /** Values in it that the submitter has named only: they must not be seen in the log. */
  secrets: v.optional(v.array(v.string())),
  /** The device configuration, YAML text. */
  device: v.string(),
  device_hostname: v.string(),
  device_type: v.string(),
  /** Host-specific settings of the worker (`dispatcher_ip`, `prefix`), YAML text; may be empty. */
  dispatcher: v.string(),
  /** Values for the DUT's environment (`overrides` of env-dut), YAML text; may be empty. */
  env_dut: v.string(),
  /** Changes of the environment that the job's programs on the worker get, YAML text; may be empty. */
  env: v.optional(v.string()),
});
export type Ticket = v.InferOutput<typeof ticketSchema>;

/** `waits: ["queue"]`: GET `url` again and again instead of a held-back sync (an SQS queue's own long poll). */
export const queueWaitSchema = v.object({
  kind: v.literal("queue"),
  /** Absolute. Answers 200 with XML: with a `<Message>` element at once when there is something to sync for. */
  url: v.string(),
  /** How long one GET may take to be answered. */
  hold_seconds: v.number(),
  /** The url is refused after this time. */
  expires_seconds: v.number(),
  /** Sync again after this time whatever the queue says: it is the worker's sign of life. */
  sync_seconds: v.number(),
});
export type QueueWait = v.InferOutput<typeof queueWaitSchema>;

/** Another version that the worker shall become. It checks all of it: the server is not trusted with what it runs. */
export const upgradeOfferSchema = v.object({
  /** Another one for each time that somebody asked for it: what failed is tried again then only. */
  id: v.string(),
  version: v.string(),
  /** An administrator wants this very version, be it older than the worker's own. */
  pinned: v.boolean(),
  /** The exact text, and its signature in base64. */
  manifest: v.string(),
  signature: v.string(),
  /** Absolute, or relative to the control plane: gzip of the platform's file. Good for an hour, another in each answer. */
  url: v.string(),
  /** Of the gzip. */
  bytes: count,
  /** The worker names a file by it. */
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
export type UpgradeOffer = v.InferOutput<typeof upgradeOfferSchema>;

export const syncResponseSchema = v.object({
  /** Jobs to start; repeated until the agent reports a runner for each. */
  start: v.array(ticketSchema),
  /** Running jobs that the agent doesn't know any more: their runner is lost, report them as such. `ticket`: to switch the device off. */
  lost: v.array(v.object({ job_id: jobId, token: v.string(), ticket: v.optional(ticketSchema) })),
  /** Jobs whose runner must be stopped; repeated until it is gone. */
  cancel: v.array(jobId),
  /** Jobs that would be started but for `no_jobs`; absent without it, and from older servers. */
  held: v.optional(v.array(jobId)),
  /** Jobs of which the control plane wants nothing more: delete their files. */
  forget: v.array(jobId),
  /** Jobs that somebody is watching: ship their log at once instead of in large chunks. */
  watched: v.array(jobId),
  /** Consoles to relay, and no others; none when absent. */
  consoles: v.optional(v.array(consoleTicketSchema)),
  /** Digest of this answer, for the next request's `seen`. */
  seen: v.string(),
  /** Where to wait before the next sync, when the agent said that it can. */
  wait: v.optional(queueWaitSchema),
  upgrade: v.optional(upgradeOfferSchema),
  /** The worker shall make itself another token (`POST /api/v1/worker/token`); one that can't goes on with its own. */
  rotate: v.optional(v.string()),
  /** For the worker's own log: why it gets no jobs. */
  notice: v.optional(v.pipe(v.string(), v.maxLength(1000))),
  /** Up to so many bytes a chunk of a log may come with its commit (`body`); absent in older servers. */
  log_body_bytes: v.optional(count),
});
export type SyncResponse = v.InferOutput<typeof syncResponseSchema>;

/** `POST /api/v1/worker/token` (worker token): the token that the worker has made itself, as `rotate` of sync asked; 204. */
export const rotationRequestSchema = v.object({
  rotation: v.pipe(v.string(), v.maxLength(100)),
  token_id: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  token_hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
export type RotationRequest = v.InferOutput<typeof rotationRequestSchema>;

/** Beside those of log-chunk.ts: results of one chunk, as JSON. */
export const MAX_CHUNK_RESULT_BYTES = 200 * 1024;
/** Events of a chunk, and characters of each: a DUT may say as many as it likes. */
export const MAX_CHUNK_EVENTS = 20;
export const MAX_EVENT_CHARS = 1000;
/** A chunk's own bytes with its commit. As base64 far below what a function of Lambda is sent at most; a larger one is better brought to the storage directly. */
export const MAX_COMMITTED_BODY_BYTES = 64 * 1024;

/** `POST /api/v1/jobs/ID/log-uploads` (job token): asks where to PUT a chunk that does not come with its commit. */
export const logUploadRequestSchema = v.object({
  first_line: count,
  /** Of the gzip-compressed bytes. */
  bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_CHUNK_BYTES)),
  /** Of the compressed bytes, lower-case hex. */
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
export type LogUploadRequest = v.InferOutput<typeof logUploadRequestSchema>;

export const logUploadResponseSchema = v.object({
  url: v.string(),
  method: v.literal("PUT"),
  headers: plainRecord(v.string(), v.string()),
});
export type LogUploadResponse = v.InferOutput<typeof logUploadResponseSchema>;

/**
 * `POST /api/v1/jobs/ID/log-chunks` (job token): makes a chunk part of the log that was uploaded, or that comes with it.
 * 200 with the next line expected; the same answer when this chunk was committed before. 409 when
 * `first_line` is not the next line: `next_line` in the problem says which is.
 */
export const logCommitRequestSchema = v.object({
  first_line: count,
  count: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_CHUNK_RECORDS)),
  bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_CHUNK_BYTES)),
  sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** The chunk itself in base64, if it is small: three requests are one. */
  body: v.optional(v.pipe(v.string(), v.maxLength(Math.ceil(MAX_COMMITTED_BODY_BYTES / 3) * 4))),
  /** Every record of level `results` in the chunk, with its line in the log. */
  results: v.array(
    v.object({ line: count, dt: v.string(), msg: plainRecord(v.string(), v.unknown()) }),
  ),
  /** What the DUT has said by `lava-test-event`, of the records of level `event`; beyond these it is in the log only. */
  events: v.optional(
    v.pipe(
      v.array(v.pipe(v.string(), v.maxLength(MAX_EVENT_CHARS))),
      v.maxLength(MAX_CHUNK_EVENTS),
    ),
  ),
});
export type LogCommitRequest = v.InferOutput<typeof logCommitRequestSchema>;

export const logCommitResponseSchema = v.object({ next_line: count });
export type LogCommitResponse = v.InferOutput<typeof logCommitResponseSchema>;

/** `GET /api/v1/jobs/ID/log-tail` (job token): the next line expected, for an agent that starts again. */
export const logTailResponseSchema = logCommitResponseSchema;

/** `POST /api/v1/jobs/ID/finish` (job token). Refused with 409 and `next_line` until `lines` lines are committed. */
export const finishRequestSchema = v.object({
  result: v.picklist(["pass", "fail"]),
  error_type: v.optional(errorTypeSchema),
  error_msg: v.optional(v.pipe(v.string(), v.maxLength(4096))),
  ...endingEntries,
  /** Number of lines of the whole log. */
  lines: count,
});
export type FinishRequest = v.InferOutput<typeof finishRequestSchema>;
