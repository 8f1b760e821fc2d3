import * as v from "valibot";
import { jobHealthSchema, jobStateSchema } from "#protocol/states.ts";
import type { ViewFilter } from "../domain/queries/job-views.ts";
import { optionalText } from "./page-query.ts";

const blank = v.pipe(
  v.literal(""),
  v.transform(() => undefined),
);
const day = v.optional(
  v.union(
    [blank, v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\d$/), v.isoDate())],
    "expected a day: 2026-11-22",
  ),
);

/** What the address of `/` says of which jobs are shown; days are UTC's. */
export const jobsFilter = v.object({
  text: v.pipe(
    optionalText,
    v.transform((text) => text?.replaceAll(/\s+/g, " ")),
  ),
  state: v.optional(v.union([blank, jobStateSchema])),
  health: v.optional(v.union([blank, jobHealthSchema])),
  device_type: optionalText,
  device: optionalText,
  submitter: optionalText,
  since: day,
  until: day,
});
export type JobsFilter = v.InferOutput<typeof jobsFilter>;
export const FILTERS = Object.keys(jobsFilter.entries) as (keyof JobsFilter)[];

/** The filter as the list of jobs wants it: until the end of its last day. */
export function timesOf(filter: JobsFilter): ViewFilter {
  const { since, until } = filter;
  const dayAfter = until === undefined ? NaN : Date.parse(until) + 24 * 60 * 60 * 1000;
  return {
    ...filter,
    ...(since === undefined ? {} : { since: `${since}T00:00:00.000Z` }),
    ...(until === undefined ? {} : { until: new Date(dayAfter).toISOString() }),
  };
}

export const isFiltered = (filter: JobsFilter): boolean =>
  FILTERS.some((name) => filter[name] !== undefined);
