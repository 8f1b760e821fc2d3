import type { SubmitResponse } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { readSubmitted } from "./jobs.ts";
import { requireUser, type Principal } from "./principal.ts";
import { submitJob } from "./submit-job.ts";

/**
 * Submits what a job was made of once more, as whoever asks: of a multinode job the whole group. Throws `not_found` for one that
 * they may not see, and what a submission throws.
 */
export async function resubmitJob(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<SubmitResponse> {
  const user = requireUser(principal);
  return submitJob(deps, user, await readSubmitted(deps, user, id), { warns: true });
}
