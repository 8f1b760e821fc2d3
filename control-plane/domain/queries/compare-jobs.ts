import type { ChangedCases, Comparison } from "#protocol/queries.ts";
import { AppError } from "../app-error.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import type { Principal } from "../principal.ts";
import { summaryOf, type CaseSummary } from "../results/job-summary.ts";
import { getVisibleJob } from "../visible.ts";
import { headOf } from "./search-jobs.ts";

/** Jobs of one side. */
const MOST_JOBS = 20;
/** Cases that are told of each kind of change; of measurements those that moved most. */
const MOST_CASES = 500;

/**
 * What changed between two jobs, or two builds of several jobs each: of a test that several jobs of a build ran, the last one
 * counts. The job's own actions, suite `lava`, and what failed attempts left are not compared. Throws `not_found`.
 */
export async function compareJobs(
  deps: Deps,
  principal: Principal,
  ids: { before: readonly number[]; after: readonly number[] },
): Promise<Comparison> {
  const before = await readSide(deps, principal, ids.before);
  const after = await readSide(deps, principal, ids.after);
  const kinds = {
    ...{ regressions: none(), fixed: none(), changed: none(), added: none(), removed: none() },
  };
  const measurements: Comparison["measurements"] = { count: 0, cases: [] };
  let same = 0;
  for (const key of new Set([...before.cases.keys(), ...after.cases.keys()])) {
    const [old, now] = [before.cases.get(key), after.cases.get(key)];
    const kind = kindOf(old, now);
    if (kind === "same") same += 1;
    else note(kinds[kind], old, now);
    if (old && now) noteMeasurement(measurements, old, now);
  }
  const { count, cases: moved } = measurements;
  return {
    before: before.jobs.map(headOf),
    after: after.jobs.map(headOf),
    ...kinds,
    same,
    measurements: { count, cases: moved.toSorted(byMove).slice(0, MOST_CASES) },
  };
}

async function readSide(deps: Deps, principal: Principal, ids: readonly number[]) {
  if (ids.length === 0 || ids.length > MOST_JOBS) {
    throw new AppError("invalid", `expected 1 to ${MOST_JOBS} jobs on each side`);
  }
  const jobs: JobRecord[] = [];
  const cases = new Map<string, CaseSummary>();
  for (const id of ids.toSorted((a, b) => a - b)) {
    const job = await getVisibleJob(deps, principal, id);
    jobs.push(job);
    for (const one of (await summaryOf(deps, job)).summary.cases) {
      if (one.suite !== "lava" && !one.retried) cases.set(keyOf(one), one);
    }
  }
  return { jobs, cases };
}

const keyOf = ({ suite, set = "", name }: CaseSummary): string =>
  JSON.stringify([suite, set, name]);

type Kind = "regressions" | "fixed" | "changed" | "added" | "removed";

function kindOf(old: CaseSummary | undefined, now: CaseSummary | undefined): Kind | "same" {
  if (!old) return "added";
  if (!now) return "removed";
  if (old.result === now.result) return "same";
  if (now.result === "fail") return old.result === "pass" ? "regressions" : "changed";
  return old.result === "fail" && now.result === "pass" ? "fixed" : "changed";
}

const none = (): ChangedCases => ({ count: 0, cases: [] });

function note(
  list: ChangedCases,
  old: CaseSummary | undefined,
  now: CaseSummary | undefined,
): void {
  list.count += 1;
  const one = now ?? old;
  if (!one || list.cases.length === MOST_CASES) return;
  list.cases.push({
    ...nameOf(one),
    ...(old ? { before: old.result } : {}),
    ...(now ? { after: now.result } : {}),
  });
}

function noteMeasurement(
  list: Comparison["measurements"],
  old: CaseSummary,
  now: CaseSummary,
): void {
  const [before, after] = [old.measurement, now.measurement];
  if (before === undefined || after === undefined || before === after) return;
  list.count += 1;
  const base = Math.abs(Number(before));
  const percent = Math.round(((Number(after) - Number(before)) / base) * 1e4) / 100;
  list.cases.push({
    ...nameOf(now),
    ...(now.units === undefined ? {} : { units: now.units }),
    ...{ before, after },
    ...(base === 0 ? {} : { percent }),
  });
}

/** Those first that moved most; from nothing it is the farthest. */
const byMove = (a: Moved, b: Moved): number => sizeOf(b) - sizeOf(a) || 0;
const sizeOf = ({ percent }: Moved): number => Math.abs(percent ?? Infinity);
type Moved = Comparison["measurements"]["cases"][number];

const nameOf = ({ suite, set, name }: CaseSummary) => ({
  suite,
  ...(set === undefined ? {} : { set }),
  name,
});
