import type { FlakyList } from "#protocol/queries.ts";
import type { Condition } from "#protocol/saved-query.ts";
import type { Deps } from "../deps.ts";
import type { Principal } from "../principal.ts";
import type { CaseSummary } from "../results/job-summary.ts";
import { sightOf } from "../visible.ts";
import { searchJobs, told, type Found, type Look } from "./search-jobs.ts";

/** Tests that are kept in mind, and told. */
const MOST_TESTS = 50_000;
const MOST_TOLD = 500;
const MOST_JOBS_TOLD = 5;
/** Fewer chances to flip say nothing: of two runs, one flip would be all. */
export const ENOUGH_CHANCES = 5;

export interface FlakyRequest {
  readonly conditions: readonly Condition[];
  /** Newest jobs that fit: 1 to 500. */
  readonly jobs: number;
  /** Attributes that say which build it was; all of a job's when there are none. */
  readonly by: readonly string[];
}

/**
 * Tests whose result changes although nothing else does, the worst first. The rule: the results, pass or fail, of one test (suite,
 * set and name) on one device type and of one build stand in the order in which they came, those of failed attempts among
 * them. Each that differs from the one before is a flip; the score is flips by chances to flip, all builds together; those with fewer than ENOUGH_CHANCES come last. One build:
 * the same attributes (`metadata`), or of jobs that have none the same definition. Jobs that lack an attribute of `by` do not count.
 */
export async function flakyTests(
  deps: Deps,
  principal: Principal,
  { conditions, jobs, by }: FlakyRequest,
): Promise<FlakyList> {
  const sight = await sightOf(deps, principal);
  const look: Look = { looked_at: 0 };
  const tests = new Map<string, Test>();
  let left = Math.min(Math.max(1, jobs), 500);
  for await (const found of searchJobs(deps, sight, conditions, { withResults: true }, look)) {
    const build = buildOf(found, by);
    if (build !== undefined) noteJob(tests, found, build);
    left -= 1;
    if (left === 0) break;
  }
  const flaky = [...tests.values()]
    .map(tallied)
    .filter(({ flips }) => flips > 0)
    .sort(
      (a, b) =>
        Number(isTelling(b)) - Number(isTelling(a)) ||
        b.score - a.score ||
        b.flips - a.flips ||
        (a.name < b.name ? -1 : 1),
    );
  return { tests: flaky.slice(0, MOST_TOLD), ...told(look) };
}

/** Whether a score says something. */
export const isTelling = ({ chances }: { chances: number }): boolean => chances >= ENOUGH_CHANCES;

interface Run {
  passed: boolean;
  job: number;
}
interface Test extends Pick<CaseSummary, "suite" | "set" | "name"> {
  device_type: string;
  /** By build, newest first. */
  builds: Map<string, Run[]>;
}

/** Which build a job was of, by these attributes or all; undefined where it lacks one of them. */
export function buildOf({ summary }: Found, by: readonly string[]): string | undefined {
  const { metadata = {}, definition = "" } = summary ?? {};
  if (by.length > 0) {
    const values = by.map((name) => (Object.hasOwn(metadata, name) ? metadata[name] : undefined));
    return values.includes(undefined) ? undefined : JSON.stringify(values);
  }
  const entries = Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? definition : JSON.stringify(entries);
}

function noteJob(tests: Map<string, Test>, { job, cases }: Found, build: string): void {
  // Backwards, as the jobs come.
  for (const { suite, set, name, result } of cases.toReversed()) {
    if (suite === "lava" || (result !== "pass" && result !== "fail")) continue;
    const { device_type } = job;
    const key = JSON.stringify([suite, set, name, device_type]);
    let test = tests.get(key);
    if (!test) {
      if (tests.size === MOST_TESTS) continue;
      test = { suite, ...(set === undefined ? {} : { set }), name, device_type, builds: new Map() };
      tests.set(key, test);
    }
    const runs = test.builds.get(build) ?? [];
    runs.push({ passed: result === "pass", job: job.id });
    test.builds.set(build, runs);
  }
}

function tallied({ builds, ...test }: Test): FlakyList["tests"][number] {
  let [pass, fail, flips, chances] = [0, 0, 0, 0];
  const jobs = new Set<number>();
  for (const runs of builds.values()) {
    if (runs.length < 2) continue;
    chances += runs.length - 1;
    for (const [n, { passed, job }] of runs.entries()) {
      if (passed) pass += 1;
      else fail += 1;
      // The one before it in time.
      const earlier = runs[n + 1];
      if (!earlier || earlier.passed === passed) continue;
      flips += 1;
      jobs.add(job);
    }
  }
  const score = chances === 0 ? 0 : Math.round((flips / chances) * 1000) / 1000;
  return { ...test, pass, fail, flips, chances, score, jobs: [...jobs].slice(0, MOST_JOBS_TOLD) };
}
