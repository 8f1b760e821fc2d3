import { mkdir } from "node:fs/promises";
import type { Ticket } from "#protocol/worker-api.ts";
import { finalize } from "./actions/finalize.ts";
import { boundRegexCost } from "./console/bound-regex-cost.ts";
import { changeEnvironment } from "./host/job-environment.ts";
import { removeTree } from "./host/remove-tree.ts";
import type { RunnerResult } from "./host/runner-result.ts";
import { environmentOf, readTicket } from "./job-context.ts";
import type { JobContext } from "./pipeline/action.ts";
import type { Group } from "./pipeline/group.ts";
import { JobFailure } from "./pipeline/job-failure.ts";
import { planJob } from "./pipeline/plan.ts";
import { makeRecorder, type Recorder, type RecorderOptions } from "./pipeline/recorder.ts";
import { finishJob, runJob, type JobOutcome, type JobSignals } from "./pipeline/run-job.ts";
import { LEAST_SECRET_CHARS, secretForms, secretTexts } from "#protocol/secret-forms.ts";
import { strategies } from "./strategies.ts";

export interface RunTicketOptions {
  /** Folder for the job's own files; made now, removed at the end. */
  readonly scratch: string;
  /** Folder that the agent's TFTP server serves. */
  readonly tftpRoot?: string;
  /** Folder where downloads are kept for other jobs. */
  readonly cacheFolder?: string;
  /** Where a person may come to the console while the job waits. */
  readonly consoleSocket?: string;
  /** The way to the other members of a multinode job. */
  readonly group?: Group | undefined;
  /** Takes each record of the log, a line of JSON without its newline. */
  readonly sink: RecorderOptions["sink"];
  readonly signals: JobSignals;
  /** What the job's programs inherit: changed as the lab says for this worker. */
  readonly environment?: NodeJS.ProcessEnv;
}

/** Runs a job from its ticket to its last record. Throws only when the sink does. */
export async function runTicket(ticket: Ticket, options: RunTicketOptions): Promise<RunnerResult> {
  const { scratch, tftpRoot, cacheFolder, consoleSocket, group, sink, signals } = options;
  boundRegexCost();
  const given = [ticket.token, ...(ticket.secrets ?? [])];
  let recorder = makeRecorder({ sink, secrets: given });
  let outcome: JobOutcome;
  try {
    const { environment } = options;
    if (environment) changeEnvironment(environment, environmentOf(ticket.env ?? "", "env"));
    const around = { tftpRoot, cacheFolder, consoleSocket, group };
    const job = { ...readTicket(ticket, scratch), ...around };
    recorder = makeRecorder({ sink, secrets: [...given, ...secretsOf(job)] });
    warnOfShortSecrets(job, recorder);
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    outcome = await runJob(job, () => plan(job), recorder, signals);
  } catch (error) {
    outcome = finishJob(recorder, JobFailure.from(error));
  }
  recorder.close();
  // What can't be removed now, the agent removes with the job's folder.
  await removeTree(scratch).catch(() => {});
  return { ...outcome, lines: recorder.lines };
}

/** The job's plan with this worker's strategies; @throws JobFailure when there is none. */
export function plan(job: JobContext): ReturnType<typeof planJob> {
  const namespaces = job.definition.actions.map(
    ({ deploy, boot, test, command }) => (deploy ?? boot ?? test ?? command)?.namespace ?? "common",
  );
  return planJob(job, strategies, finalize([...new Set(namespaces)]));
}

/** Values of the job's `secrets`, however deep (`rclone_env` is a mapping): they must not be in the log. */
export const secretsOf = ({ definition }: JobContext): string[] => secretTexts(definition.secrets);

/** Who takes a PIN for a secret shall know that it is seen. */
function warnOfShortSecrets({ definition }: JobContext, log: Recorder): void {
  const short = Object.entries(definition.secrets ?? {})
    .filter(([, value]) => secretTexts(value).some((text) => secretForms(text).size === 0))
    .map(([name]) => name);
  if (short.length === 0) return;
  const least = `fewer than ${LEAST_SECRET_CHARS} characters`;
  log.warning(`not masked in this log, having ${least}: secrets ${short.join(", ").slice(0, 500)}`);
}
