import type { Deps } from "./deps.ts";
import type { JobRecord } from "./job-record.ts";

/**
 * The token of an assigned job. It is derived, not stored, so that it can be handed out again when the
 * worker's answer was lost; the job keeps its hash. Throws when the job was never assigned.
 */
export function jobToken({ settings, system }: Deps, job: Pick<JobRecord, "id" | "token_nonce">) {
  if (job.token_nonce === undefined) throw new Error(`job ${job.id} has no token yet`);
  const proof = system.hmac(settings.secret, `job token ${job.id} ${job.token_nonce}`);
  return `pumice_job_${job.id}_${proof}`;
}

/** The job that a token claims to be of, or undefined when it is no job token. */
export function jobOfToken(token: string): number | undefined {
  const found = /^pumice_job_(\d{1,15})_[0-9a-f]{64}$/.exec(token);
  return found ? Number(found[1]) : undefined;
}
