import type { ResultView } from "#protocol/api.ts";
import { accessOf } from "../access.ts";
import type { Deps } from "../deps.ts";
import { attemptOf, type JobRecord } from "../job-record.ts";
import { sightBy } from "../visible.ts";
import { bySuite } from "./cases-yaml.ts";
import type { Notify } from "./criteria.ts";
import type { NoticedJob } from "./notice-record.ts";
import { findQueryFor, jobsOfSaved, type QueryName } from "./noticed-query.ts";
import { resultsOf } from "./noticed-job.ts";
import { jobsBefore } from "./previous-jobs.ts";

type Compare = NonNullable<Notify["compare"]>;

/** The last jobs that a query finds are named, as LAVA does. */
const MAX_JOBS = 5;
const MAX_LINES = 200;

/**
 * How a job compares with the last ones that the query of `compare` finds: those by name, and what is different from the newest
 * that is Complete (SCHEDULER.md 7). Only jobs that the submitter may see count.
 */
export async function comparisonLines(
  deps: Deps,
  { query, blacklist = [] }: Compare,
  job: NoticedJob,
  results: readonly ResultView[],
): Promise<string[]> {
  if (!query) return [];
  const jobs = await ("username" in query
    ? lastOfSaved(deps, [String(query.username), String(query.name)], job)
    : lastOfConditions(deps, query, job));
  if (typeof jobs === "string") return [`Comparison: ${jobs}`];
  const newest = jobs.find(({ health }) => health === "Complete");
  const lines = [
    "Comparison with the last jobs:",
    ...jobs.map(({ id, health, description }) => `  ${id} ${health} ${description}`),
  ];
  if (!newest) return [...lines, "none of them is Complete"];
  const before = await resultsOf(deps, newest.id, attemptOf(newest));
  return [...lines, `Different from job ${newest.id}:`, ...differences(before, results, blacklist)];
}

/** Why it can't be said, or the jobs: those that the query finds for the submitter. */
async function lastOfSaved(
  deps: Deps,
  name: QueryName,
  { id, submitter }: NoticedJob,
): Promise<JobRecord[] | string> {
  const found = await findQueryFor(deps, submitter, name);
  if (!found) return `there is no query ${name.join("/")} that ${submitter} may use`;
  const jobs: JobRecord[] = [];
  for await (const job of jobsOfSaved(deps, found, id - 1)) {
    jobs.push(job);
    if (jobs.length === MAX_JOBS) break;
  }
  return jobs;
}

const lastOfConditions = async (
  deps: Deps,
  { entity, conditions = {} }: { entity: string; conditions?: Record<string, unknown> | undefined },
  job: NoticedJob,
): Promise<JobRecord[] | string> =>
  entity === "testjob"
    ? await jobsOfQuery(deps, conditions, job)
    : `only testjob is compared, not ${entity}`;

async function jobsOfQuery(
  deps: Deps,
  conditions: Record<string, unknown>,
  job: NoticedJob,
): Promise<JobRecord[]> {
  const sight = sightBy(deps, await accessOf(deps, job.submitter));
  const found: JobRecord[] = [];
  const { submitter } = conditions;
  const list =
    typeof submitter === "string"
      ? jobsBefore(deps, `submitter-jobs#${submitter}`, "i4", job.id)
      : jobsBefore(deps, "jobs", "i1", job.id);
  for await (const other of list) {
    if (!fits(other, conditions) || !(await sight.job(other))) continue;
    found.push(other);
    if (found.length === MAX_JOBS) break;
  }
  return found;
}

/** The fields of LAVA's queries over jobs (SCHEDULER.md 10), compared as text. */
function fits(job: JobRecord, conditions: Record<string, unknown>): boolean {
  const { submitter, state, health, priority, description, start_time, end_time } = job;
  const fields: Record<string, unknown> = {
    ...{ job: job.id, submitter, state, health, priority, description, start_time, end_time },
    ...{ actual_device: job.device, requested_device_type: job.device_type },
  };
  return Object.entries(conditions).every(
    ([name, wanted]) => String(fields[name]).toLowerCase() === String(wanted).toLowerCase(),
  );
}

/** Suites and cases that came or went, how many cases a suite has, and results that changed. */
export function differences(
  before: readonly ResultView[],
  now: readonly ResultView[],
  blacklist: readonly string[],
): string[] {
  const [old, fresh] = [before, now].map((results) =>
    bySuite(
      results.filter(({ suite, name }) => ![suite, name].some((one) => blacklist.includes(one))),
    ),
  ) as [Map<string, ResultView[]>, Map<string, ResultView[]>];
  const lines: string[] = [];
  for (const suite of old.keys()) if (!fresh.has(suite)) lines.push(`  suite ${suite} is gone`);
  for (const [suite, cases] of fresh) {
    const earlier = old.get(suite);
    if (earlier) lines.push(...caseDifferences(suite, earlier, cases));
    else lines.push(`  suite ${suite} is new, with ${cases.length} cases`);
  }
  if (lines.length === 0) return ["  nothing"];
  const more = lines.length - MAX_LINES;
  return more > 0 ? [...lines.slice(0, MAX_LINES), `  ... and ${more} more`] : lines;
}

function caseDifferences(suite: string, before: ResultView[], now: ResultView[]): string[] {
  const [old, fresh] = [before, now].map(
    (cases) => new Map(cases.map(({ name, result }) => [name, result])),
  ) as [Map<string, string>, Map<string, string>];
  const lines: string[] = [];
  if (before.length !== now.length) {
    lines.push(`  suite ${suite} has ${now.length} cases, ${before.length} before`);
  }
  for (const name of old.keys()) if (!fresh.has(name)) lines.push(`  ${suite}/${name} is gone`);
  for (const [name, result] of fresh) {
    const earlier = old.get(name);
    if (earlier === undefined) lines.push(`  ${suite}/${name} is new: ${result}`);
    else if (earlier !== result) lines.push(`  ${suite}/${name}: ${result}, ${earlier} before`);
  }
  return lines;
}
