import type { SourceProblem, SubmitResponse } from "#protocol/api.ts";
import { AppError } from "./app-error.ts";
import { checkText } from "./check-text.ts";
import type { Deps } from "./deps.ts";
import { enqueue } from "./enqueue.ts";
import { findJobItem, type JobRecord } from "./job-record.ts";
import { submissionKey } from "./keys.ts";
import { newJobs } from "./new-jobs.ts";
import { requireUser, type Principal } from "./principal.ts";
import { spendReading } from "./reading-budget.ts";
import { TableConflict, type Key, type Operation } from "../ports/table.ts";

/** A submission that was answered, or whose answer got lost. */
interface Submission {
  job_ids: number[];
  /** Of the definition. */
  sha256: string;
}

const SUBMISSION_MS = 24 * 60 * 60 * 1000;
const encoder = new TextEncoder();

/**
 * Puts a job, or each of a multinode group, into the queue and asks for a scheduling pass. The text is kept byte for byte. With a
 * `key` that the submitter makes up, the same submission again, for a day, makes no second job. All warnings are in the answer where
 * `warns` is true, else only those that cost nothing. Throws `invalid` with every problem that was found, `too_large`, `throttled` when
 * a quota has no place left or too much was refused, or `conflict` when the key was another submission's.
 */
export async function submitJob(
  deps: Deps,
  principal: Principal,
  text: string,
  { key, warns = false }: { key?: string | undefined; warns?: boolean } = {},
): Promise<SubmitResponse> {
  const user = requireUser(principal);
  const submitter = user.name;
  const reading = spendReading(deps, user, text);
  const {
    problems,
    warnings,
    said: remarks,
    definition,
    roles,
  } = await checkText(deps, user, text, warns);
  if (!definition || problems.length > 0) throw refusal(problems);
  reading.takeBack();
  const said = [...warnings.map(asLine), ...remarks];
  const mark = key === undefined ? undefined : markOf(deps, submitter, key, text);
  const earlier = mark && (await findSubmission(deps, mark));
  if (earlier) return { ...earlier, warnings: said };

  const { jobs, blobs, operations } = await newJobs(deps, {
    ...{ submitter, text, definition },
    ...(roles ? { roles } : {}),
  });
  const made = idsOf(jobs);
  try {
    const marked = mark ? [markedBy(deps, mark, made.job_ids)] : [];
    await enqueue(deps, user, jobs, [...operations, ...marked], async () => {
      await Promise.all(blobs.map((blob) => deps.blobs.put(blob.key, encoder.encode(blob.text))));
    });
  } catch (error) {
    const other =
      mark && error instanceof TableConflict ? await findSubmission(deps, mark) : undefined;
    if (!other) throw error;
    return { ...other, warnings: said };
  }
  for (const type of new Set(jobs.map((job) => job.device_type))) {
    await deps.signals.requestPass(type);
  }
  return { ...made, warnings: said };
}

type Ids = Pick<SubmitResponse, "job_ids" | "sub_ids">;

function idsOf(jobs: readonly JobRecord[]): Ids {
  const sub_ids = jobs.flatMap(({ sub_id }) => (sub_id === undefined ? [] : [sub_id]));
  const job_ids = jobs.map(({ id }) => id);
  return sub_ids.length === 0 ? { job_ids } : { job_ids, sub_ids };
}

/** How a submission with a key is found again, and known to be the same. */
interface Mark {
  readonly key: Key;
  readonly sha256: string;
}

const markOf = ({ system }: Deps, submitter: string, key: string, text: string): Mark => ({
  key: submissionKey(submitter, system.hash(key)),
  sha256: system.hash(text),
});

function markedBy({ system }: Deps, { key, sha256 }: Mark, job_ids: number[]): Operation {
  const data: Submission = { job_ids, sha256 };
  return { put: { key, data, expires: system.now() + SUBMISSION_MS }, when: "absent" };
}

/** The jobs of an earlier submission with this key. Its pass is asked for once more: that may have been what was lost. */
async function findSubmission(deps: Deps, { key, sha256 }: Mark): Promise<Ids | undefined> {
  const found = (await deps.table.get<Submission>(key))?.data;
  if (!found) return undefined;
  if (found.sha256 !== sha256) {
    throw new AppError("conflict", "this Idempotency-Key was used for another definition");
  }
  const jobs: JobRecord[] = [];
  for (const id of found.job_ids) {
    const job = (await findJobItem(deps, id))?.data;
    if (job) jobs.push(job);
    if (job?.state === "Submitted") await deps.signals.requestPass(job.device_type);
  }
  return { ...idsOf(jobs), job_ids: found.job_ids };
}

function refusal(problems: SourceProblem[]): AppError {
  const [first] = problems;
  const rest = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const what = first ? `${asLine(first)}${rest}` : "it is not a job definition";
  return new AppError("invalid", `the job was refused: ${what}`, { problems });
}

const asLine = ({ path, line, column, message }: SourceProblem): string =>
  `line ${line}, column ${column}${path ? `, ${path}` : ""}: ${message}`;
