import type { JobView } from "#protocol/api.ts";

/** A job's id as LAVA shows it: of a multinode group `12.1`. */
export const lavaJobId = ({ id, sub_id }: Pick<JobView, "id" | "sub_id">): number | string =>
  sub_id ?? id;

/** LAVA's XML-RPC writes these with a capital. */
const VISIBILITY = { public: "Public", personal: "Personal", group: "Group" } as const;

/** As `scheduler.jobs.show` tells of a job (API.md 4); never the rows that LAVA's `job_details` gives away. */
export function jobDetails(job: JobView) {
  return {
    id: lavaJobId(job),
    description: job.description,
    device: job.device ?? null,
    device_type: job.device_type,
    health_check: job.health_check ?? false,
    pipeline: true,
    health: job.health,
    state: job.state,
    submitter: job.submitter,
    submit_time: new Date(job.submit_time),
    start_time: timeOf(job.start_time),
    end_time: timeOf(job.end_time),
    tags: job.tags,
    visibility: VISIBILITY[job.visibility ?? "public"],
    failure_comment: job.error_msg ?? null,
  };
}

/** As a list tells of it; `verbose` more. */
export function jobEntry(job: JobView, verbose: boolean) {
  const { description, device_type, health, state, submitter } = job;
  const entry = { id: lavaJobId(job), description, device_type, health, state, submitter };
  if (!verbose) return entry;
  return {
    ...entry,
    actual_device: job.device ?? null,
    start_time: textTime(job.start_time),
    end_time: textTime(job.end_time),
    error_msg: job.error_msg ?? null,
    error_type: job.error_type ?? null,
  };
}

/** What LAVA's oldest methods say of a job in one word: its health once it has ended. */
export const legacyStatus = ({ state, health }: Pick<JobView, "state" | "health">): string =>
  state === "Finished" ? health : state;

const timeOf = (time: string | undefined): Date | null =>
  time === undefined ? null : new Date(time);

/** `2026-11-22 03:59:28.572000+00:00` */
const textTime = (time: string | undefined): string | null =>
  time === undefined
    ? null
    : `${new Date(time).toISOString().slice(0, 23).replace("T", " ")}000+00:00`;
