import * as v from "valibot";
import type { JobView, SubmitResponse } from "#protocol/api.ts";
import { JOB_HEALTHS, JOB_STATES } from "#protocol/states.ts";
import { AppError } from "../../domain/app-error.ts";
import { cancelJob, readDefinition, type JobFilter } from "../../domain/jobs.ts";
import { jobView, type JobRecord } from "../../domain/job-record.ts";
import { requireUser } from "../../domain/principal.ts";
import { getVisibleJob } from "../../domain/visible.ts";
import { jobDetails, jobEntry, lavaJobId } from "../shapes/job-details.ts";
import { isMissingKey, lavaPath, submissionRefusal } from "../shapes/submission-refusal.ts";
import { Fault, named } from "./fault.ts";
import { findJob } from "./find-job.ts";
import { logPage } from "./log-page.ts";
import {
  flag,
  fromZero,
  jobId,
  maybe,
  method,
  name,
  names,
  text,
  whole,
  type Call,
} from "./method.ts";
import { newestJobs, newestUnfinished } from "./newest-jobs.ts";
import type { XmlRpcValue } from "./xml-value.ts";

const J = "scheduler.jobs.";
/** LAVA gives no more in one answer. */
const MOST_LISTED = 100;
const start = v.nullish(fromZero, 0);
const limit = v.nullish(fromZero, 25);

/** A job by its id, in LAVA's words when there is none. */
export async function jobNamed({ deps, principal }: Call, text: string): Promise<JobView> {
  const job = await named("Job", text, getVisibleJob(deps, principal, await findJob(deps, text)));
  // Not why it waits: that is not LAVA's to tell, and takes a look at the queue.
  return jobView(job);
}

/** What a submission answers: the id, or of a multinode job the sub ids of all its jobs. */
async function submitted(submitting: Promise<SubmitResponse>): Promise<XmlRpcValue> {
  const { job_ids, sub_ids } = await refusedInItsWords(submitting);
  return sub_ids ?? job_ids[0]!;
}

/** As LAVA's clients know it. */
async function refusedInItsWords<T>(submitting: Promise<T>): Promise<T> {
  try {
    return await submitting;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "invalid") throw error;
    const message = submissionRefusal(error.message);
    throw new Fault(400, message.replace(/^Devices unavailable/, "Device unavailable"));
  }
}

export async function submit(call: Call, definition: string): Promise<XmlRpcValue> {
  const { submitJob } = await import("../../domain/submit-job.ts");
  return submitted(submitJob(call.deps, call.principal, definition));
}

export async function resubmit(call: Call, id: string): Promise<XmlRpcValue> {
  const { resubmitJob } = await import("../../domain/resubmit-job.ts");
  const number = await findJob(call.deps, id);
  return submitted(named("Job", id, resubmitJob(call.deps, call.principal, number)));
}

export async function cancel({ deps, principal }: Call, id: string): Promise<true> {
  await named("Job", id, cancelJob(deps, principal, await findJob(deps, id)));
  return true;
}

/** The newest jobs that fit, from the `start`th on. Those that wait are found in their queues. */
async function jobsFrom(
  call: Call,
  filter: Pick<JobFilter, "state" | "health">,
  { start, limit, endedAfter }: { start: number; limit: number; endedAfter?: number | undefined },
): Promise<JobView[]> {
  const size = Math.min(limit, MOST_LISTED);
  const { state: wanted } = filter;
  const fits = ({ state, health, end_time = "" }: JobRecord): boolean =>
    (wanted ?? state) === state &&
    (filter.health ?? health) === health &&
    (endedAfter === undefined || Date.parse(end_time) > endedAfter);
  const search = { fits, columns: ["health", "end_time"], start, limit: size } as const;
  const isOver = wanted === undefined || wanted === "Finished";
  const few = isOver ? undefined : await newestUnfinished(call, search);
  return few ?? newestJobs(call, search);
}

function wordOf<T extends string>(words: readonly T[], what: string, given: string | undefined) {
  if (given === undefined) return {};
  const found = words.find((word) => word.toLowerCase() === given.toLowerCase());
  if (found === undefined) throw new Fault(400, `Invalid ${what} '${given}'`);
  return { [what]: found };
}

async function configurationOf(call: Call, id: string): Promise<XmlRpcValue> {
  const { deps, principal } = call;
  const job = await jobNamed(call, id);
  const definition = await readDefinition(deps, principal, job.id);
  const { jobConfiguration } = await import("../../domain/job-configuration.ts");
  const { device, dispatcher, env, env_dut } = await jobConfiguration(deps, principal, job.id);
  const encoder = new TextEncoder();
  return [definition, device, dispatcher, env, env_dut].map((one) => encoder.encode(one));
}

/** What the schema finds first, as `{path, msg}`; `{}` for a job that it takes. Throws the fault for what is no YAML. */
async function validate(definition: string, strict: boolean): Promise<XmlRpcValue> {
  const { checkJob, validateJob } = await import("#protocol/check-job.ts");
  const { problems } = strict ? validateJob(definition, "strict") : checkJob(definition);
  const [first] = problems;
  if (!first) return {};
  const { path, line, column, message } = first;
  const msg = isMissingKey(message) ? `required key not provided: ${message}` : message;
  return { path: path === "" ? `line ${line}, column ${column}` : lavaPath(path), msg };
}

/** `scheduler.jobs` */
export const jobMethods = [
  method(
    J + "submit",
    "submit",
    { definition: text },
    "Submits a job definition (YAML). Answers the job's id, or for a multinode job the ids of all its jobs.",
    (call, { definition }) => submit(call, definition),
  ),
  method(
    J + "resubmit",
    "submit",
    { job_id: jobId },
    "Submits the definition of a job once more. Answers as submit does.",
    (call, { job_id }) => resubmit(call, job_id),
  ),
  method(
    J + "cancel",
    "submit",
    { job_id: jobId },
    "Cancels a job. Answers true, also for one that has ended.",
    (call, { job_id }) => cancel(call, job_id),
  ),
  method(
    J + "show",
    "read",
    { job_id: jobId },
    "What there is to know of a job.",
    async (call, { job_id }) => jobDetails(await jobNamed(call, job_id)),
  ),
  method(
    J + "list",
    "read",
    {
      state: maybe(name),
      health: maybe(name),
      start,
      limit,
      since: maybe(whole),
      verbose: v.nullish(flag, false),
    },
    "Jobs, newest first: at most 100. since: only those that ended in the last so many minutes. verbose adds device, times and error.",
    async (call, { state, health, start, limit, since = 0, verbose }) => {
      const filter = {
        ...wordOf(JOB_STATES, "state", state),
        ...wordOf(JOB_HEALTHS, "health", health),
      };
      const endedAfter = since > 0 ? call.deps.system.now() - since * 60_000 : undefined;
      const jobs = await jobsFrom(call, filter, { start, limit, endedAfter });
      return jobs.map((job) => jobEntry(job, verbose));
    },
  ),
  method(
    J + "queue",
    "read",
    {
      device_types: maybe(
        v.union(
          [
            names,
            v.pipe(
              name,
              v.transform((one) => [one]),
            ),
          ],
          "expected names of device types",
        ),
      ),
      start,
      limit,
    },
    "Jobs that wait for a device, newest first: at most 100; of all device types when none are named.",
    async ({ deps, principal }, { device_types, start, limit }) => {
      const { queuedJobs } = await import("../../domain/queued-jobs.ts");
      const waiting = await queuedJobs(deps, principal, device_types);
      return waiting.slice(start, start + Math.min(limit, MOST_LISTED)).map((job) => ({
        id: lavaJobId(job),
        description: job.description,
        requested_device_type: job.device_type,
        submitter: job.submitter,
      }));
    },
  ),
  method(
    J + "logs",
    "read",
    { job_id: jobId, start, end: maybe(whole) },
    "Lines of a job's log as YAML, from start up to end. Answers [whether the job has ended and this is the end of its log, text].",
    async (call, { job_id, start, end }) => {
      const number = await findJob(call.deps, job_id);
      return named("Job", job_id, logPage(call, number, { start, end }));
    },
  ),
  method(
    J + "definition",
    "read",
    { job_id: jobId },
    "The definition of a job as it was submitted.",
    async ({ deps, principal }, { job_id }) =>
      named("Job", job_id, readDefinition(deps, principal, await findJob(deps, job_id))),
  ),
  method(
    J + "configuration",
    "read",
    { job_id: jobId },
    "What a job runs with: [definition, device, dispatcher, env, env-dut]. The texts of the worker are for those who may change it.",
    (call, { job_id }) => configurationOf(call, job_id),
  ),
  method(
    J + "validate",
    "read",
    { definition: text, strict: v.nullish(flag, false) },
    "Checks a definition without submitting it. Answers {} or the first mistake: {path, msg}.",
    async ({ deps, principal }, { definition, strict }) => {
      // It costs more than all that is for who is not signed in.
      const user = requireUser(principal);
      const { spendReading } = await import("../../domain/reading-budget.ts");
      spendReading(deps, user, definition);
      return validate(definition, strict);
    },
  ),
];
