import type { Chart } from "#protocol/queries.ts";
import type { Condition } from "#protocol/saved-query.ts";
import type { Counts } from "#protocol/results.ts";
import type { Deps } from "../deps.ts";
import type { PageRequest } from "../named-page.ts";
import type { Principal } from "../principal.ts";
import { sightOf } from "../visible.ts";
import { readCursor, searchJobs, told, type Found, type Look } from "./search-jobs.ts";

export interface ChartRequest extends PageRequest {
  readonly conditions: readonly Condition[];
  /** Jobs that are left out: those of which it is known why they are odd. */
  readonly omit?: readonly number[] | undefined;
  /** An attribute of jobs (`metadata`): its value is told with each point. */
  readonly group_by?: string | undefined;
}

type Point = Chart["points"][number];

/**
 * How many of the cases that fit passed, job by job, oldest first: percent of those that passed or failed. Jobs of which none did
 * have no point. Suite `lava` and what failed attempts left do not count.
 */
export const chartPassRate = (
  deps: Deps,
  principal: Principal,
  request: ChartRequest,
): Promise<Chart> => chart(deps, principal, request, passRate);

/** A measurement over time, oldest first; of several in one job the last one that fits. */
export async function chartMeasurement(
  deps: Deps,
  principal: Principal,
  request: ChartRequest,
  { suite, name }: { suite?: string | undefined; name: string },
): Promise<Chart> {
  const exactly = (table: "testcase" | "testsuite", value: string): Condition[] => [
    { table, field: "name", operator: "exact", value },
  ];
  const conditions = [
    ...request.conditions,
    ...exactly("testcase", name),
    ...(suite === undefined ? [] : exactly("testsuite", suite)),
  ];
  let units: string | undefined;
  const answer = await chart(deps, principal, { ...request, conditions }, ({ cases }) => {
    const found = cases.findLast(
      ({ measurement, retried }) => measurement !== undefined && !retried,
    );
    if (found?.measurement === undefined) return undefined;
    units ??= found.units;
    return { value: Number(found.measurement), exact: found.measurement };
  });
  return { ...answer, ...(units === undefined ? {} : { units }) };
}

async function chart(
  deps: Deps,
  principal: Principal,
  { conditions, limit = 200, cursor, omit = [], group_by }: ChartRequest,
  valueOf: (found: Found) => Omit<Point, "job" | "time" | "group"> | undefined,
): Promise<Chart> {
  const sight = await sightOf(deps, principal);
  const size = Math.min(Math.max(1, limit), 500);
  const look: Look = { looked_at: 0 };
  const points: Point[] = [];
  const how = { upTo: readCursor(cursor).upTo, withResults: true };
  let next: string | undefined;
  for await (const found of searchJobs(deps, sight, conditions, how, look)) {
    const { id, end_time, start_time, submit_time } = found.job;
    const value = omit.includes(id) ? undefined : valueOf(found);
    const time = end_time ?? start_time ?? submit_time;
    if (value) points.push({ job: id, time, ...groupOf(found, group_by), ...value });
    if (points.length < size) continue;
    next = String(id - 1);
    break;
  }
  return { points: points.toReversed(), ...told(look, next) };
}

function groupOf({ summary }: Found, attribute: string | undefined): { group?: string } {
  const attributes = summary?.metadata ?? {};
  if (attribute === undefined || !Object.hasOwn(attributes, attribute)) return {};
  return { group: attributes[attribute] ?? "" };
}

function passRate({ cases }: Found): Omit<Point, "job" | "time" | "group"> | undefined {
  const counts: Counts = { pass: 0, fail: 0, skip: 0, unknown: 0 };
  for (const { suite, result, retried } of cases) {
    if (suite !== "lava" && !retried) counts[result] += 1;
  }
  const { pass, fail } = counts;
  if (pass + fail === 0) return undefined;
  return { value: Math.round((pass / (pass + fail)) * 1e4) / 100, ...counts };
}
