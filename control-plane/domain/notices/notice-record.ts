import type { NewItem, Operation } from "../../ports/table.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import { noticeKey } from "../keys.ts";

/** Into which a job's change is one of which somebody may be told (SCHEDULER.md 7). */
export type NoticedState = "Running" | "Finished";

/**
 * A job's change of which the job's `notify` wants somebody to be told, perhaps. It is written with the change, so that none
 * is forgotten, and looked at later: what it needs to say is in it, whatever becomes of the job.
 */
export interface NoticeRecord {
  job: number;
  attempt: number;
  state: NoticedState;
  time: string;
  /** The job as the change has left it. */
  snapshot: NoticedJob;
  /** Nobody has looked at it yet. */
  open: boolean;
  /** What became of it, for people: who was told, or why nobody was. */
  outcome?: string;
}

/** Of the job's record what a message may say. */
export type NoticedJob = Omit<JobRecord, "token_nonce" | "token_hash" | "left" | "taken_back">;

const KEPT_MS = 90 * 24 * 60 * 60 * 1000;

/** What is to be written with a job's change into Running or Finished. */
export function noticeOf(
  { system }: Deps,
  before: JobRecord | undefined,
  after: JobRecord,
): Operation[] {
  const { state } = after;
  if (!after.notify || before?.state === state) return [];
  if (state !== "Running" && state !== "Finished") return [];
  const { token_nonce: _, token_hash: _h, left: _l, taken_back: _t, ...snapshot } = after;
  const time = new Date(system.now()).toISOString();
  const { id: job, attempt = 1 } = after;
  // An attempt begins once and ends once.
  return [{ put: noticeItem({ job, attempt, state, time, snapshot, open: true }), when: "absent" }];
}

/** The item of a notice. */
export const noticeItem = (data: NoticeRecord): NewItem => ({
  key: noticeKey(data.job, data.attempt, data.state),
  data,
  keys: data.open
    ? {
        i3: {
          partition: "notices-due",
          sort: `${data.time}#${data.job}#${data.attempt}#${data.state}`,
        },
      }
    : {},
  expires: Date.parse(data.time) + KEPT_MS,
});
