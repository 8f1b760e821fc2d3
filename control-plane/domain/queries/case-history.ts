import type { CaseRow, Chart, JobHead } from "#protocol/queries.ts";
import type { Condition } from "#protocol/saved-query.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import type { Principal } from "../principal.ts";
import { sightOf } from "../visible.ts";
import { headOf, searchJobs, type Look } from "./search-jobs.ts";

export interface CaseHistory {
  /** Newest first. */
  readonly runs: { readonly job: JobHead; readonly case: CaseRow }[];
  /** Its measurements, oldest first. */
  readonly chart: Chart;
}

/** How a test did in the newest jobs with the same description on the same device type. */
export async function caseHistory(
  deps: Deps,
  principal: Principal,
  { description, device_type }: Pick<JobRecord, "description" | "device_type">,
  test: { suite: string; set?: string | undefined; name: string },
  most: number,
): Promise<CaseHistory> {
  const exactly = (table: Condition["table"], field: string, value: string): Condition => ({
    ...{ table, field, operator: "exact", value },
  });
  const conditions = [
    exactly("testjob", "description", description),
    exactly("testjob", "requested_device_type", device_type),
    exactly("testsuite", "name", test.suite),
    exactly("testcase", "name", test.name),
  ];
  const sight = await sightOf(deps, principal);
  const look: Look = { looked_at: 0 };
  const runs: { job: JobHead; case: CaseRow }[] = [];
  for await (const { job, cases } of searchJobs(deps, sight, conditions, {}, look)) {
    const one = cases.findLast(({ set, retried }) => set === test.set && !retried);
    if (one) runs.push({ job: headOf(job), case: one });
    if (runs.length === most) break;
  }
  const points = runs.toReversed().flatMap(({ job, case: { measurement: exact } }) => {
    const time = job.end_time ?? job.start_time ?? job.submit_time;
    return exact === undefined ? [] : [{ job: job.id, time, value: Number(exact), exact }];
  });
  const units = runs.find((run) => run.case.units !== undefined)?.case.units;
  const chart = { points, looked_at: look.looked_at, ...(units === undefined ? {} : { units }) };
  return { runs, chart };
}
