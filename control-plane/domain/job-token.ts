import type { Item } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { attemptOf, getJobItem, type JobRecord } from "./job-record.ts";
import { requireJob, type Principal } from "./principal.ts";

/**
 * The token of an assigned job. It is derived, not stored, so that it can be handed out again when the
 * worker's answer was lost; the job keeps its hash. Throws when the job was never assigned.
 */
export function jobToken({ settings, system }: Deps, job: Pick<JobRecord, "id" | "token_nonce">) {
  if (job.token_nonce === undefined) throw new Error(`job ${job.id} has no token yet`);
  const proof = system.hmac(settings.secret, `job token ${job.id} ${job.token_nonce}`);
  return `pumice_job_${job.id}_${proof}`;
}

/**
 * Whether a token is the job's: that of the lab where it was assigned, whose hash it keeps, or the one that this lab derives,
 * which is another after a move. Hashes are compared: how long that takes says nothing about a token.
 */
export function isTokenOf(deps: Deps, job: JobRecord, token: string): boolean {
  if (job.token_nonce === undefined) return false;
  const { system } = deps;
  const given = system.hash(token);
  return given === job.token_hash || given === system.hash(jobToken(deps, job));
}

/**
 * The job that a worker reports of with its token. Throws `forbidden` for another token, `not_found`, and `gone` when the
 * token's attempt ended since the request came in.
 */
export async function getReportedItem(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<Item<JobRecord>> {
  const { attempt } = requireJob(principal, id);
  const item = await getJobItem(deps, id);
  if (attempt === attemptOf(item.data)) return item;
  throw new AppError("gone", `attempt ${attempt} of job ${id} has ended`);
}

/** The job that a token claims to be of, or undefined when it is no job token. */
export function jobOfToken(token: string): number | undefined {
  const found = /^pumice_job_(\d{1,15})_[0-9a-f]{64}$/.exec(token);
  return found ? Number(found[1]) : undefined;
}
