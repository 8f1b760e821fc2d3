import type { SourceProblem, SubmitResponse } from "#protocol/api.ts";
import { checkJob } from "#protocol/check-job.ts";
import { priorityNumber, type JobDefinition } from "#protocol/job-definition.ts";
import { timeoutSeconds } from "#protocol/timeouts.ts";
import { resolveDeviceType } from "./aliases.ts";
import { AppError } from "./app-error.ts";
import { checkSubmission } from "./check-submission.ts";
import type { Deps } from "./deps.ts";
import { jobItem, type JobRecord } from "./job-record.ts";
import { MAX_DEFINITION_BYTES } from "./jobs.ts";
import { definitionBlob } from "./keys.ts";
import { requireUser, type Principal } from "./principal.ts";

/**
 * Puts a job into the queue and asks for a scheduling pass. The text is kept byte for byte. Throws `invalid` with
 * every problem that was found, or `too_large`.
 */
export async function submitJob(
  deps: Deps,
  principal: Principal,
  text: string,
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
  };
  await deps.blobs.put(definitionBlob(id), bytes);
  await deps.table.transact([{ put: jobItem(job), when: "absent" }]);
  await deps.signals.requestPass(job.device_type);
  return { job_ids: [id], warnings: warnings.map(asLine) };
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
