import type { SourceProblem, SubmitResponse } from "#protocol/api.ts";
import { AppError } from "./app-error.ts";
import { checkText } from "./check-text.ts";
import type { Deps } from "./deps.ts";
import { enqueue } from "./enqueue.ts";
import { findJobItem } from "./job-record.ts";
import { submissionKey } from "./keys.ts";
import { newJobs } from "./new-jobs.ts";
import { requireUser, type Principal } from "./principal.ts";
import { spendReading } from "./reading-budget.ts";
import { TableConflict, type Key } from "../ports/table.ts";

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
  const mark = key === undefined ? undefined : submissionKey(submitter, deps.system.hash(key));
  const sha256 = deps.system.hash(text);
  const earlier = mark && (await findSubmission(deps, mark, sha256));
  if (earlier) return { job_ids: earlier, warnings: said };

  const { jobs, blobs, operations } = await newJobs(deps, {
    ...{ submitter, text, definition },
    ...(roles ? { roles } : {}),
  });
  const job_ids = jobs.map(({ id }) => id);
  const data: Submission = { job_ids, sha256 };
  const expires = deps.system.now() + SUBMISSION_MS;
  try {
    const marked = mark ? [{ put: { key: mark, data, expires }, when: "absent" } as const] : [];
    await enqueue(deps, user, jobs, [...operations, ...marked], async () => {
      await Promise.all(blobs.map((blob) => deps.blobs.put(blob.key, encoder.encode(blob.text))));
    });
  } catch (error) {
    const other = mark && error instanceof TableConflict;
    const ids = other ? await findSubmission(deps, mark, sha256) : undefined;
    if (!ids) throw error;
    return { job_ids: ids, warnings: said };
  }
  for (const type of new Set(jobs.map((job) => job.device_type))) {
    await deps.signals.requestPass(type);
  }
  return { job_ids, warnings: said };
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

function refusal(problems: SourceProblem[]): AppError {
  const [first] = problems;
  const rest = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
  const what = first ? `${asLine(first)}${rest}` : "it is not a job definition";
  return new AppError("invalid", `the job was refused: ${what}`, { problems });
}

const asLine = ({ path, line, column, message }: SourceProblem): string =>
  `line ${line}, column ${column}${path ? `, ${path}` : ""}: ${message}`;
