import type { Counts } from "#protocol/results.ts";
import type { TestResult } from "#protocol/states.ts";
import type { LogCommitRequest } from "#protocol/worker-api.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";

type Records = LogCommitRequest["results"];

/**
 * A job's counts once more results, each of which is good, are part of its log. When a failed attempt is among them, which takes
 * back what it left, all are counted anew; that is seldom.
 */
export async function countsAfter(
  deps: Deps,
  job: JobRecord,
  more: Records,
): Promise<Pick<JobRecord, "result_counts">> {
  const tests = more.filter(({ msg }) => msg["definition"] !== "lava");
  const takesBack = more.some(({ msg }) => msg["definition"] === "lava" && msg["retried"] === true);
  if (takesBack && job.result_counts) return countAnew(deps, job, more);
  if (tests.length === 0) return {};
  const counts = { ...(job.result_counts ?? none()) };
  for (const { msg } of takesBack ? kept(more) : tests) counts[msg["result"] as TestResult] += 1;
  return { result_counts: counts };
}

async function countAnew(deps: Deps, job: JobRecord, more: Records) {
  const { MAX_RESULTS, readResults } = await import("./read-results.ts");
  const all: Records = [];
  for await (const { log_line: line, logged, metadata } of readResults(deps, job)) {
    all.push({ line, dt: logged, msg: metadata });
    if (all.length === MAX_RESULTS) break;
  }
  const counts = none();
  for (const { msg } of kept([...all, ...more])) counts[msg["result"] as TestResult] += 1;
  return { result_counts: counts };
}

const none = (): Counts => ({ pass: 0, fail: 0, skip: 0, unknown: 0 });

/** Those of tests that no failed attempt has left. */
function kept(records: Records): Records {
  const spans = records.flatMap(({ line, msg }): [number, number][] => {
    const { definition, retried, attempt_start: start } = msg;
    const isSpan = definition === "lava" && retried === true && typeof start === "number";
    return isSpan ? [[start as number, line]] : [];
  });
  return records.filter(
    ({ line, msg }) =>
      msg["definition"] !== "lava" && !spans.some(([from, to]) => line >= from && line <= to),
  );
}
