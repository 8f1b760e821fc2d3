import type { JobView } from "#protocol/api.ts";
import type { Deps } from "./deps.ts";
import { jobView, type JobRecord } from "./job-record.ts";
import type { User } from "./principal.ts";

/** The job that somebody submitted last, which they may see always; undefined when there is none. */
export async function lastJobOf(deps: Deps, { name }: User): Promise<JobView | undefined> {
  const range = { limit: 1, reverse: true };
  const { items } = await deps.table.query<JobRecord>("i4", `submitter-jobs#${name}`, range);
  return items[0] && jobView(items[0].data);
}
