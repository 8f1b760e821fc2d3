import * as v from "valibot";
import { endingEntries, errorTypeSchema, evidenceSchema } from "./failure.ts";
import { hasOneText, labDeviceEntries, labDeviceTypeSchema, ONE_TEXT } from "./lab.ts";
import { plainRecord } from "./plain-record.ts";
import { waitsSchema } from "./queue.ts";
import { deviceReservationSchema } from "./reservations.ts";
import {
  deviceHealthSchema,
  deviceStateSchema,
  jobHealthSchema,
  jobStateSchema,
  testResultSchema,
  workerHealthSchema,
  workerStateSchema,
} from "./states.ts";
import { upgradeReportSchema } from "./worker-api.ts";

/** Shapes of the HTTP API under `/api/v1`. Times are ISO 8601 in UTC, ids integers, lists paged by cursor. */

const time = v.string();

/** An attempt of a job, which `retry_on` let another one follow. `?attempt=N` asks for all of it, and for its log and results. */
export const attemptViewSchema = v.object({
  attempt: v.number(),
  device: v.optional(v.string()),
  worker: v.optional(v.string()),
  start_time: v.optional(time),
  end_time: v.optional(time),
  error_type: v.optional(errorTypeSchema),
  error_msg: v.optional(v.string()),
  evidence: v.optional(evidenceSchema),
  log_lines: v.number(),
});
export type AttemptView = v.InferOutput<typeof attemptViewSchema>;

/** A job of a multinode group. */
export const memberViewSchema = v.object({
  id: v.number(),
  sub_id: v.string(),
  role: v.string(),
  /** When it ends Incomplete, all others are canceled. */
  essential: v.boolean(),
  state: jobStateSchema,
  health: jobHealthSchema,
  device: v.optional(v.string()),
  /** It runs beside this job. */
  host_job: v.optional(v.number()),
});
export type MemberView = v.InferOutput<typeof memberViewSchema>;

/** What a person wrote down about a job, plain text. */
export const annotationViewSchema = v.object({
  id: v.string(),
  time,
  who: v.string(),
  text: v.string(),
  /** What they found to be at fault: `product`, `test`, `job`, `lab`, `unclear`. */
  cause: v.optional(v.string()),
});
export type AnnotationView = v.InferOutput<typeof annotationViewSchema>;

export const jobViewSchema = v.object({
  id: v.number(),
  state: jobStateSchema,
  health: jobHealthSchema,
  /** The definition's `job_name`. */
  description: v.string(),
  device_type: v.string(),
  requested_device: v.optional(v.string()),
  requested_worker: v.optional(v.string()),
  /** The device that runs or ran it. */
  device: v.optional(v.string()),
  worker: v.optional(v.string()),
  submitter: v.string(),
  /** Who may see it beside its submitter; absent: whoever may see its device. */
  visibility: v.optional(v.picklist(["public", "personal", "group"])),
  viewing_groups: v.optional(v.array(v.string())),
  /** The lab's own job, which says whether the device is in order. */
  health_check: v.optional(v.literal(true)),
  priority: v.number(),
  tags: v.array(v.string()),
  submit_time: time,
  start_time: v.optional(time),
  end_time: v.optional(time),
  /** Set when health is Incomplete. */
  error_type: v.optional(errorTypeSchema),
  error_msg: v.optional(v.string()),
  ...endingEntries,
  /** The job goes back to the queue, once, when the lab's infrastructure was at fault. */
  retry_on: v.optional(v.literal("infrastructure")),
  /** From 1, which is meant when it is absent. */
  attempt: v.optional(v.number()),
  /** This is an attempt of the job, and another one followed. */
  retried: v.optional(v.literal(true)),
  /** Attempts before this one; of a single job only. */
  earlier_attempts: v.optional(v.array(attemptViewSchema)),
  /** Of a job of a multinode group: its id (a UUID), `FIRST_ID.NUMBER`, which is good for the id too, and its role. */
  group: v.optional(v.string()),
  sub_id: v.optional(v.string()),
  role: v.optional(v.string()),
  /** It has no device but runs beside this job of its group. */
  host_job: v.optional(v.number()),
  /** The jobs of its group that one may see, itself among them; of a single job only. */
  members: v.optional(v.array(memberViewSchema)),
  /** Lines of the log that have arrived. */
  log_lines: v.number(),
  /** Results of its tests so far, without its own actions and without what failed attempts left; absent: none has come. */
  result_counts: v.optional(
    v.object({ pass: v.number(), fail: v.number(), skip: v.number(), unknown: v.number() }),
  ),
  /** The log was removed by a rule of retention. */
  log_removed: v.optional(v.literal(true)),
  /** Why a Submitted job waits, one sentence. */
  waits_for: v.optional(v.string()),
  /** A step of its interactive test only waits: a person may take the console meanwhile (docs/remote-console.md). */
  waits_for_person: v.optional(v.literal(true)),
  /** The same for programs, where it stands and when it may begin; of a single job only. */
  waits: v.optional(waitsSchema),
  /** What went wrong beside the job, such as result records that could not be read. */
  notes: v.optional(v.array(v.string())),
  /** How many annotations people made. */
  annotation_count: v.optional(v.number()),
  /** They, oldest first; of a single job only. */
  annotations: v.optional(v.array(annotationViewSchema)),
});
export type JobView = v.InferOutput<typeof jobViewSchema>;

export const jobListSchema = v.object({
  jobs: v.array(jobViewSchema),
  next_cursor: v.optional(v.string()),
});
export type JobList = v.InferOutput<typeof jobListSchema>;

/** `POST /api/v1/jobs`: body is the definition itself (any text type), 201 with this. */
export const submitResponseSchema = v.object({
  job_ids: v.array(v.number()),
  /** Of a multinode group's jobs, as LAVA writes them: `12.0`, `12.1`. */
  sub_ids: v.optional(v.array(v.string())),
  warnings: v.array(v.string()),
});
export type SubmitResponse = v.InferOutput<typeof submitResponseSchema>;

/** `GET /api/v1/jobs/ID/log?start=&end=&wait=`: `start` inclusive, `end` exclusive, 0-based. */
export const logPageSchema = v.object({
  start: v.number(),
  /** Ask from here for what follows. */
  next: v.number(),
  /** True when the job is Finished and `next` is the end of its log. */
  complete: v.boolean(),
  /** Seconds to pause before asking for what follows; more than 0 where questions are not held back. */
  poll_seconds: v.optional(v.number()),
  /** The attempt whose log this is; absent where the lab knows of none. */
  attempt: v.optional(v.number()),
  /** One log record each (see log-record.ts). */
  records: v.array(plainRecord(v.string(), v.unknown())),
});
export type LogPage = v.InferOutput<typeof logPageSchema>;

/**
 * `GET /api/v1/jobs/ID/log-chunks?start=&end=&wait=`: where to fetch the chunks that hold these lines, in order and
 * without a gap; the first of them when they are many. Their bytes are gzipped JSON lines, one record each.
 */
export const logChunkListSchema = v.object({
  start: v.number(),
  /** The line after the last chunk, or `start` when there is none. Ask from here for what follows. */
  next: v.number(),
  /** True when the job is Finished and `next` is the end of its log. */
  complete: v.boolean(),
  poll_seconds: v.number(),
  attempt: v.optional(v.number()),
  chunks: v.array(
    v.object({
      /** The first chunk may begin before `start`. */
      first_line: v.number(),
      count: v.number(),
      /** Of the compressed bytes. */
      bytes: v.number(),
      /** Absolute, or relative to the lab's own address; good for 15 minutes, without a token. */
      url: v.string(),
      method: v.literal("GET"),
      /** Must be sent as they are. */
      headers: plainRecord(v.string(), v.string()),
    }),
  ),
});
export type LogChunkList = v.InferOutput<typeof logChunkListSchema>;

export const resultViewSchema = v.object({
  suite: v.string(),
  name: v.string(),
  set: v.optional(v.string()),
  result: testResultSchema,
  measurement: v.optional(v.number()),
  /** The measurement as exact decimal text: `93.25`. */
  exact: v.optional(v.string()),
  units: v.optional(v.string()),
  reference: v.optional(v.string()),
  level: v.optional(v.string()),
  /** `2 of 3`: of the attempts that a part of the job had. */
  attempt: v.optional(v.string()),
  /** Of an attempt that failed and that another one followed. */
  retried: v.optional(v.literal(true)),
  logged: time,
  /** Line of the result record, and of the case's first and last line, when it has them. */
  log_line: v.number(),
  log_start_line: v.optional(v.number()),
  log_end_line: v.optional(v.number()),
  /** The record as it was in the log. */
  metadata: plainRecord(v.string(), v.unknown()),
});
export type ResultView = v.InferOutput<typeof resultViewSchema>;

export const resultListSchema = v.object({ results: v.array(resultViewSchema) });
export type ResultList = v.InferOutput<typeof resultListSchema>;

export const deviceViewSchema = v.object({
  hostname: v.string(),
  device_type: v.string(),
  worker: v.string(),
  state: deviceStateSchema,
  health: deviceHealthSchema,
  tags: v.array(v.string()),
  description: v.string(),
  physical_owner: v.optional(v.string()),
  physical_group: v.optional(v.string()),
  notes: v.optional(v.string()),
  current_job: v.optional(v.number()),
  /** Whose it is for a time. */
  reservation: v.optional(deviceReservationSchema),
  /** The last health check that said something about it. */
  last_health_report_job: v.optional(v.number()),
  /** It gets no job before somebody has looked whether it needs a health check. */
  health_check_due: v.optional(v.literal(true)),
});
export type DeviceView = v.InferOutput<typeof deviceViewSchema>;
export const deviceListSchema = v.object({
  devices: v.array(deviceViewSchema),
  next_cursor: v.optional(v.string()),
});

/**
 * `PUT /api/v1/devices/HOSTNAME`: makes or replaces a device; its type is made when it is new. Either `dictionary`
 * or `configuration` must be there; `comment` stands in the list of its versions.
 */
export const putDeviceSchema = v.pipe(
  v.object({ ...labDeviceEntries, comment: v.optional(v.pipe(v.string(), v.maxLength(1000)), "") }),
  v.check((device) => hasOneText(device), ONE_TEXT),
);
export type PutDevice = v.InferOutput<typeof putDeviceSchema>;

export const deviceTypeViewSchema = v.object({
  name: v.string(),
  devices: v.number(),
  /** Submitted jobs that wait for a device of this type. */
  queued: v.number(),
  ...labDeviceTypeSchema.entries,
});
export type DeviceTypeView = v.InferOutput<typeof deviceTypeViewSchema>;
export const deviceTypeListSchema = v.object({
  device_types: v.array(deviceTypeViewSchema),
  next_cursor: v.optional(v.string()),
});

export const workerViewSchema = v.object({
  name: v.string(),
  state: workerStateSchema,
  health: workerHealthSchema,
  /** `stock`: LAVA's own worker program; absent: ours. */
  kind: v.optional(v.string()),
  version: v.optional(v.string()),
  last_sync: v.optional(time),
  description: v.string(),
  /** Most jobs at a time; 0: no limit. */
  job_limit: v.number(),
  devices: v.array(v.string()),
  platform: v.optional(v.string()),
  /** Version of the worker protocol that it speaks. */
  protocol: v.optional(v.number()),
  /** The version that an administrator wants it to have, whatever is rolled out. */
  pin: v.optional(v.object({ id: v.string(), version: v.string() })),
  upgrade: v.optional(upgradeReportSchema),
  /** Why it can't upgrade itself. */
  by_hand: v.optional(v.string()),
  /** What somebody should do about it, such as why it gets no new jobs. */
  notice: v.optional(v.string()),
  /** When a board became this worker by a one-time code. */
  enrolled: v.optional(time),
  /** Until when a code is good that no board has used yet. */
  enrolment_expires: v.optional(time),
  /** Since when it is asked to make itself another token, which it has not done yet. */
  token_rotation_asked: v.optional(time),
});
export type WorkerView = v.InferOutput<typeof workerViewSchema>;
export const workerListSchema = v.object({
  workers: v.array(workerViewSchema),
  next_cursor: v.optional(v.string()),
});

/** `POST /api/v1/workers` answers 201 with the token; it is shown this once. */
export const addWorkerSchema = v.object({
  name: v.pipe(
    v.string(),
    v.regex(/^[A-Za-z0-9][\w.-]{0,199}$/, "expected a name of letters, digits, `.`, `_` and `-`"),
  ),
  description: v.optional(v.string(), ""),
  job_limit: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
});
export const addedWorkerSchema = v.object({ name: v.string(), token: v.string() });
export type AddedWorker = v.InferOutput<typeof addedWorkerSchema>;

export const healthSchema = v.object({
  status: v.literal("ok"),
  version: v.string(),
  engine: v.string(),
});

/** One thing that is wrong with a text somebody sent, and where. Lines and columns count from 1. */
export const sourceProblemSchema = v.object({
  /** `actions[0].deploy.to`, or empty for the text as a whole. */
  path: v.string(),
  line: v.number(),
  column: v.number(),
  /** What is wrong, what was expected, and the nearest known word when there is one. */
  message: v.string(),
});
export type SourceProblem = v.InferOutput<typeof sourceProblemSchema>;

export const ERROR_CODES = [
  "invalid",
  "unauthenticated",
  "forbidden",
  "not_found",
  "conflict",
  "gone",
  /** The body is larger than this call takes. */
  "too_large",
  /** The path is right, the method is not. */
  "not_allowed",
  "throttled",
  "unavailable",
  "internal",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

/** Body of every answer that is an error. */
export const problemSchema = v.object({
  code: v.picklist(ERROR_CODES),
  message: v.string(),
  /** For code `invalid` about a YAML text. */
  problems: v.optional(v.array(sourceProblemSchema)),
  /** For `conflict` in log shipping. */
  next_line: v.optional(v.number()),
  request_id: v.optional(v.string()),
});
export type Problem = v.InferOutput<typeof problemSchema>;
