import type { ResultList, ResultView } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import type { Principal } from "./principal.ts";
import {
  failedSpan,
  markedBy,
  MAX_RESULTS,
  readResults,
  type Span,
} from "./results/read-results.ts";
import { getVisibleJob } from "./visible.ts";

/** All results of a job, or of an attempt of it, in the order of its log. Throws `not_found`. */
export async function listResults(
  deps: Deps,
  principal: Principal,
  id: number,
  attempt?: number,
): Promise<ResultList> {
  const job = await getVisibleJob(deps, principal, id, attempt);
  const results: ResultView[] = [];
  const failed: Span[] = [];
  for await (const view of readResults(deps, job)) {
    results.push(view);
    const span = failedSpan(view);
    if (span) failed.push(span);
    if (results.length === MAX_RESULTS) break;
  }
  return { results: failed.length === 0 ? results : results.map((view) => markedBy(failed, view)) };
}
