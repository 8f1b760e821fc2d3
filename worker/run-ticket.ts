import { mkdir, rm } from "node:fs/promises";
import type { LogRecord } from "#protocol/log-record.ts";
import type { Ticket } from "#protocol/worker-api.ts";
import { finalize } from "./actions/finalize.ts";
import type { RunnerResult } from "./host/runner-result.ts";
import { readTicket } from "./job-context.ts";
import type { JobContext } from "./pipeline/action.ts";
import { JobFailure } from "./pipeline/job-failure.ts";
import { planJob } from "./pipeline/plan.ts";
import { makeRecorder } from "./pipeline/recorder.ts";
import { finishJob, runJob, type JobSignals } from "./pipeline/run-job.ts";
import { strategies } from "./strategies.ts";

export interface RunTicketOptions {
  /** Folder for the job's own files; made now, removed at the end. */
  readonly scratch: string;
  /** Takes each record of the log, a line of JSON without its newline. */
  readonly sink: (line: string, record: LogRecord) => void;
  readonly signals: JobSignals;
}

/** Runs a job from its ticket to its last record. Never throws for what a job or a device does. */
export async function runTicket(ticket: Ticket, options: RunTicketOptions): Promise<RunnerResult> {
  const { scratch, sink, signals } = options;
  let job: JobContext;
  try {
    job = readTicket(ticket, scratch);
  } catch (error) {
    const recorder = makeRecorder({ sink, secrets: [ticket.token] });
    return { ...finishJob(recorder, JobFailure.from(error)), lines: recorder.lines };
  }
  const recorder = makeRecorder({ sink, secrets: [ticket.token, ...secretsOf(job)] });
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    const outcome = await runJob(job, () => plan(job), recorder, signals);
    return { ...outcome, lines: recorder.lines };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The job's plan with this worker's strategies; @throws JobFailure when there is none. */
export function plan(job: JobContext): ReturnType<typeof planJob> {
  const namespaces = job.definition.actions.map(
    ({ deploy, boot, test }) => (deploy ?? boot ?? test)?.namespace ?? "common",
  );
  return planJob(job, strategies, finalize([...new Set(namespaces)]));
}

/** Values of the job's `secrets`: they must not be in the log. */
function secretsOf({ definition }: JobContext): string[] {
  return Object.values(definition.secrets ?? {})
    .filter((value) => typeof value === "string" || typeof value === "number")
    .map(String);
}
