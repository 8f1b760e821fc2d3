import type { SourceProblem, SubmitResponse } from "#protocol/api.ts";
import { checkJob } from "#protocol/check-job.ts";
import { priorityNumber, type JobDefinition } from "#protocol/job-definition.ts";
import { timeoutSeconds } from "#protocol/timeouts.ts";
import { resolveDeviceType } from "./aliases.ts";
import { AppError } from "./app-error.ts";
import { jobChange } from "./changes.ts";
import { checkSubmission } from "./check-submission.ts";
import type { Deps } from "./deps.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import { findJobItem, jobItem, type JobRecord } from "./job-record.ts";
import { MAX_DEFINITION_BYTES } from "./jobs.ts";
import { definitionBlob, deviceTypeKey, submissionKey } from "./keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { TableConflict, type Key } from "../ports/table.ts";

/** A submission that was answered, or whose answer got lost. */
interface Submission {
  job_ids: number[];
  /** Of the definition. */
  sha256: string;
}

const SUBMISSION_MS = 24 * 60 * 60 * 1000;

/**
 * Puts a job into the queue and asks for a scheduling pass. The text is kept byte for byte. With a `key` that the
 * submitter makes up, the same submission again, for a day, makes no second job. Throws `invalid` with every problem
 * that was found, `too_large`, or `conflict` when the key was another submission's.
 */
export async function submitJob(
  deps: Deps,
  principal: Principal,
  text: string,
  key?: string,
): Promise<SubmitResponse> {
  const { name: submitter } = requireUser(principal);
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > MAX_DEFINITION_BYTES) {
    throw new AppError("too_large", `a job definition has at most ${MAX_DEFINITION_BYTES} bytes`);
  }
  const read = checkJob(text);
  const { problems, warnings } = read;
  if (!read.definition || problems.length > 0) throw refusal(problems);
  const definition = await withRealType(deps, read.definition);
  const unknowns = await checkSubmission(deps, definition, (path) => read.locate(path));
  if (unknowns.length > 0) throw refusal(unknowns);

  const said = warnings.map(asLine);
  const mark = key === undefined ? undefined : submissionKey(submitter, deps.system.hash(key));
  const sha256 = deps.system.hash(text);
  const earlier = mark && (await findSubmission(deps, mark, sha256));
  if (earlier) return { job_ids: earlier, warnings: said };

  const now = deps.system.now();
  const { device_type = "", device, worker, timeouts, tags = [] } = definition;
  const id = await deps.table.counter("job");
  const queueMs = timeouts.queue && timeoutSeconds(timeouts.queue) * 1000;
  const job: JobRecord = {
    id,
    state: "Submitted",
    health: "Unknown",
    description: definition.job_name,
    device_type,
    submitter,
    priority: priorityNumber(definition.priority),
    tags: [...new Set(tags)],
    submit_time: new Date(now).toISOString(),
    log_lines: 0,
    ...(device === undefined ? {} : { requested_device: device }),
    ...(worker === undefined ? {} : { requested_worker: worker }),
    ...(queueMs === undefined ? {} : { queue_deadline: new Date(now + queueMs).toISOString() }),
    ...(definition.notify === undefined ? {} : { notify: true }),
    ...(await retryOn(deps, definition)),
  };
  await deps.blobs.put(definitionBlob(id), bytes);
  const data: Submission = { job_ids: [id], sha256 };
  try {
    await deps.table.transact([
      { put: jobItem(job), when: "absent" },
      ...jobChange(deps, undefined, job, { who: submitter }),
      ...(mark
        ? [{ put: { key: mark, data, expires: now + SUBMISSION_MS }, when: "absent" } as const]
        : []),
    ]);
  } catch (error) {
    const other = mark && error instanceof TableConflict;
    const ids = other ? await findSubmission(deps, mark, sha256) : undefined;
    if (!ids) throw error;
    return { job_ids: ids, warnings: said };
  }
  await deps.signals.requestPass(job.device_type);
  return { job_ids: [id], warnings: said };
}

/** The jobs of an earlier submission with this key. Its pass is asked for once more: that may have been what was lost. */
async function findSubmission(deps: Deps, key: Key, sha256: string): Promise<number[] | undefined> {
  const found = (await deps.table.get<Submission>(key))?.data;
  if (!found) return undefined;
  if (found.sha256 !== sha256) {
    throw new AppError("conflict", "this Idempotency-Key was used for another definition");
  }
  for (const id of found.job_ids) {
    const job = await findJobItem(deps, id);
    if (job?.data.state === "Submitted") await deps.signals.requestPass(job.data.device_type);
  }
  return found.job_ids;
}

/** What the job says of its retry, else what its device type does. */
async function retryOn(
  deps: Deps,
  { retry_on, device_type = "", timeouts }: JobDefinition,
): Promise<Pick<JobRecord, "retry_on" | "queue_seconds">> {
  const type = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(device_type));
  if ((retry_on ?? type?.data.retry_on) !== "infrastructure") return {};
  const queue_seconds = timeouts.queue && timeoutSeconds(timeouts.queue);
  return { retry_on: "infrastructure", ...(queue_seconds === undefined ? {} : { queue_seconds }) };
}

/** With the device type that an alias stands for; the text that was submitted stays as it is. */
async function withRealType(deps: Deps, definition: JobDefinition): Promise<JobDefinition> {
  const { device_type } = definition;
  if (device_type === undefined) return definition;
  return { ...definition, device_type: await resolveDeviceType(deps, device_type) };
}

function refusal(problems: SourceProblem[]): AppError {
  const [first] = problems;
  const rest = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const what = first ? `${asLine(first)}${rest}` : "it is not a job definition";
  return new AppError("invalid", `the job was refused: ${what}`, { problems });
}

const asLine = ({ path, line, column, message }: SourceProblem): string =>
  `line ${line}, column ${column}${path ? `, ${path}` : ""}: ${message}`;
