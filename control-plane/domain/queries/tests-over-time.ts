import type { JobHead } from "#protocol/queries.ts";
import type { Condition } from "#protocol/saved-query.ts";
import type { TestResult } from "#protocol/states.ts";
import type { Deps } from "../deps.ts";
import type { Principal } from "../principal.ts";
import type { CaseSummary } from "../results/job-summary.ts";
import { sightOf } from "../visible.ts";
import { buildOf } from "./flaky-tests.ts";
import { headOf, searchJobs, told, type Found, type Look } from "./search-jobs.ts";

/** Tests that are kept in mind. */
const MOST_TESTS = 20_000;
export const MOST_COLUMNS = 50;

/** Tests as rows, jobs as columns. */
export interface TestMatrix {
  /** Newest first. */
  readonly jobs: JobHead[];
  /** In the order in which the newest job ran them, then those which only older ones had. */
  readonly tests: TestRow[];
  readonly looked_at: number;
  /** Not all tests are in it. */
  readonly isCut: boolean;
}

export interface TestRow extends Pick<CaseSummary, "suite" | "set" | "name"> {
  /** By column; undefined where the job did not have the test. */
  readonly results: (TestResult | undefined)[];
  /** It had more than one result. */
  readonly isChanged: boolean;
  /** Its newest result is a fail. */
  readonly isFailing: boolean;
  /** 0 never flips to 1 every time, by the rule of flaky tests; undefined where no build ran it twice. */
  readonly score?: number;
  /** Flips, and chances to flip. */
  readonly flips: number;
  readonly chances: number;
}

/**
 * How the tests of the newest jobs did that fit and have ended, job by job. Of a test that a job ran several times the last result
 * counts; what failed attempts left counts for the score only. The job's own actions are left out.
 */
export async function testsOverTime(
  deps: Deps,
  principal: Principal,
  { conditions, jobs: wanted }: { conditions: readonly Condition[]; jobs: number },
): Promise<TestMatrix> {
  const sight = await sightOf(deps, principal);
  const size = Math.min(Math.max(1, wanted), MOST_COLUMNS);
  const ended: Condition = {
    ...{ table: "testjob", field: "state", operator: "exact", value: "Finished" },
  };
  const look: Look = { looked_at: 0 };
  const jobs: JobHead[] = [];
  const tests = new Map<string, Kept>();
  let isCut = false;
  const how = { withResults: true };
  for await (const found of searchJobs(deps, sight, [...conditions, ended], how, look)) {
    if (!found.cases.some(({ suite }) => suite !== "lava")) continue;
    isCut = noteJob(tests, found, jobs.length) || isCut;
    if (jobs.push(headOf(found.job)) === size) break;
  }
  const rows = [...tests.values()].map((kept) => rowOf(kept, jobs.length));
  return { jobs, tests: rows, looked_at: told(look).looked_at, isCut };
}

interface Kept extends Pick<CaseSummary, "suite" | "set" | "name"> {
  results: (TestResult | undefined)[];
  /** Passes and fails by build and device type, newest first. */
  builds: Map<string, boolean[]>;
}

function noteJob(tests: Map<string, Kept>, found: Found, column: number): boolean {
  const build = `${found.job.device_type} ${buildOf(found, []) ?? ""}`;
  let isCut = false;
  const noted = new Map<Kept, boolean[]>();
  for (const { suite, set, name, result, retried } of found.cases) {
    if (suite === "lava") continue;
    const key = JSON.stringify([suite, set, name]);
    let kept = tests.get(key);
    if (!kept) {
      isCut = tests.size === MOST_TESTS;
      if (isCut) continue;
      const test = { suite, ...(set === undefined ? {} : { set }), name };
      kept = { ...test, results: [], builds: new Map() };
      tests.set(key, kept);
    }
    if (!retried) kept.results[column] = result;
    if (result !== "pass" && result !== "fail") continue;
    const runs = noted.get(kept) ?? [];
    runs.push(result === "pass");
    noted.set(kept, runs);
  }
  for (const [kept, runs] of noted) {
    kept.builds.set(build, [...(kept.builds.get(build) ?? []), ...runs.toReversed()]);
  }
  return isCut;
}

function rowOf({ results, builds, ...test }: Kept, columns: number): TestRow {
  const all = Array.from({ length: columns }, (_none, n) => results[n]);
  const had = all.filter((result) => result !== undefined);
  const { flips, chances } = flipsOf([...builds.values()]);
  return {
    ...test,
    results: all,
    isChanged: new Set(had).size > 1,
    isFailing: had[0] === "fail",
    ...{ flips, chances },
    ...(chances === 0 ? {} : { score: Math.round((flips / chances) * 1000) / 1000 }),
  };
}

function flipsOf(builds: readonly (readonly boolean[])[]): { flips: number; chances: number } {
  let [flips, chances] = [0, 0];
  for (const runs of builds) {
    chances += runs.length - 1;
    flips += runs.filter((passed, n) => n > 0 && passed !== runs[n - 1]).length;
  }
  return { flips, chances };
}
