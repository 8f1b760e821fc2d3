import * as v from "valibot";
import { jobHealthSchema, jobStateSchema, testResultSchema } from "./states.ts";
import { userName } from "./people.ts";
import { suiteViewSchema } from "./results.ts";
import { ENTITIES, conditionSchema, queryName } from "./saved-query.ts";

/** Saved searches of jobs, suites and test cases (SCHEDULER.md 10): `/api/v1/queries`. */

export const queryViewSchema = v.object({
  owner: userName,
  name: queryName,
  description: v.string(),
  entity: v.picklist(ENTITIES),
  conditions: v.array(conditionSchema),
  limit: v.number(),
  published: v.boolean(),
  group: v.optional(v.string()),
  changed: v.string(),
});
export type QueryView = v.InferOutput<typeof queryViewSchema>;
export const queryListSchema = v.object({
  queries: v.array(queryViewSchema),
  next_cursor: v.optional(v.string()),
});
export type QueryList = v.InferOutput<typeof queryListSchema>;

export const jobHeadSchema = v.object({
  id: v.number(),
  description: v.string(),
  submitter: v.string(),
  device_type: v.string(),
  device: v.optional(v.string()),
  state: jobStateSchema,
  health: jobHealthSchema,
  submit_time: v.string(),
  start_time: v.optional(v.string()),
  end_time: v.optional(v.string()),
  error_type: v.optional(v.string()),
});
export type JobHead = v.InferOutput<typeof jobHeadSchema>;

export const caseRowSchema = v.object({
  suite: v.string(),
  set: v.optional(v.string()),
  name: v.string(),
  result: testResultSchema,
  /** Exact decimal text. */
  measurement: v.optional(v.string()),
  units: v.optional(v.string()),
  /** Of its record in the log. */
  line: v.number(),
  retried: v.optional(v.literal(true)),
});
export type CaseRow = v.InferOutput<typeof caseRowSchema>;

/** How far an answer looked: the newest job first, then older ones. `next_cursor` goes on where it ended. */
const lookEntries = {
  looked_at: v.number(),
  /** The oldest job that was looked at. */
  oldest: v.optional(v.number()),
  next_cursor: v.optional(v.string()),
};

/** `GET /api/v1/queries/OWNER/NAME/run`, and `/queries/run?entity=&conditions=` of what is not saved. */
export const queryAnswerSchema = v.object({
  entity: v.picklist(ENTITIES),
  rows: v.array(
    v.object({
      job: jobHeadSchema,
      suite: v.optional(suiteViewSchema),
      case: v.optional(caseRowSchema),
    }),
  ),
  ...lookEntries,
});
export type QueryAnswer = v.InferOutput<typeof queryAnswerSchema>;

/** `GET /api/v1/charts/{pass-rate,measurement}?omit=ID,ID&group_by=ATTRIBUTE`: oldest job first. */
export const chartSchema = v.object({
  points: v.array(
    v.object({
      job: v.number(),
      time: v.string(),
      /** Percent of the cases that passed or failed, or the measurement. */
      value: v.number(),
      /** With `group_by`: what the job has of that attribute; absent where it has none. */
      group: v.optional(v.string()),
      /** The same as exact text, of a measurement. */
      exact: v.optional(v.string()),
      pass: v.optional(v.number()),
      fail: v.optional(v.number()),
      skip: v.optional(v.number()),
      unknown: v.optional(v.number()),
    }),
  ),
  units: v.optional(v.string()),
  ...lookEntries,
});
export type Chart = v.InferOutput<typeof chartSchema>;

/** `GET /api/v1/flaky` */
export const flakyListSchema = v.object({
  tests: v.array(
    v.object({
      suite: v.string(),
      set: v.optional(v.string()),
      name: v.string(),
      device_type: v.string(),
      /** Passes and fails of builds in which it ran more than once. */
      pass: v.number(),
      fail: v.number(),
      /** How often the result was another one than the time before in the same build. */
      flips: v.number(),
      /** Runs that had one before them in the same build: a score of fewer than 5 says little. */
      chances: v.number(),
      /** Flips of all chances to flip: 0 to 1. */
      score: v.number(),
      /** Jobs in which it flipped last. */
      jobs: v.array(v.number()),
    }),
  ),
  ...lookEntries,
});
export type FlakyList = v.InferOutput<typeof flakyListSchema>;

const changedCase = v.object({
  suite: v.string(),
  set: v.optional(v.string()),
  name: v.string(),
  before: v.optional(testResultSchema),
  after: v.optional(testResultSchema),
});
const changedCases = v.object({
  count: v.number(),
  /** The first of them. */
  cases: v.array(changedCase),
});
export type ChangedCases = v.InferOutput<typeof changedCases>;

/** `GET /api/v1/compare?before=JOB&after=JOB`; each may be several jobs with commas: a build. */
export const comparisonSchema = v.object({
  before: v.array(jobHeadSchema),
  after: v.array(jobHeadSchema),
  /** It passed, and fails now. */
  regressions: changedCases,
  /** It failed, and passes now. */
  fixed: changedCases,
  /** Other changes of a result. */
  changed: changedCases,
  added: changedCases,
  removed: changedCases,
  same: v.number(),
  measurements: v.object({
    count: v.number(),
    cases: v.array(
      v.object({
        suite: v.string(),
        set: v.optional(v.string()),
        name: v.string(),
        units: v.optional(v.string()),
        before: v.string(),
        after: v.string(),
        /** By how much of the one before; absent where that is 0. */
        percent: v.optional(v.number()),
      }),
    ),
  }),
});
export type Comparison = v.InferOutput<typeof comparisonSchema>;
