import * as v from "valibot";
import { groupName, userName } from "./people.ts";
import { oneOf } from "./schema-parts.ts";

/** What a saved query asks (SCHEDULER.md 10); its rows are in queries.ts. */

export const ENTITIES = ["testjob", "testsuite", "testcase"] as const;
export type Entity = (typeof ENTITIES)[number];
export const TABLES = [...ENTITIES, "metadata"] as const;
export type ConditionTable = (typeof TABLES)[number];
export const OPERATORS = ["exact", "ne", "iexact", "icontains", "gt", "lt"] as const;
export type Operator = (typeof OPERATORS)[number];

export const conditionSchema = v.strictObject({
  table: oneOf(...TABLES),
  /** Of `metadata`: the name of an attribute of the job. */
  field: v.pipe(v.string("expected a field"), v.minLength(1), v.maxLength(100)),
  operator: v.optional(oneOf(...OPERATORS), "exact"),
  value: v.pipe(v.string("expected text"), v.maxLength(1000, "expected at most 1000 characters")),
});
export type Condition = v.InferOutput<typeof conditionSchema>;

/** LAVA's text form, `[table__]field__[operator__]value` joined by commas, or a list, whose values may have commas. */
const conditions = v.union(
  [
    v.pipe(v.string(), v.maxLength(10_000)),
    v.pipe(v.array(conditionSchema), v.maxLength(20, "expected at most 20 conditions")),
  ],
  "expected conditions: field__operator__value, or a list of {table, field, operator, value}",
);

export const queryName = v.pipe(
  v.string("expected a name"),
  v.regex(/^[A-Za-z0-9][\w.-]{0,99}$/, "expected a name of letters, digits, `.`, `_` and `-`"),
);
/** Of a saved query in a lab: OWNER/NAME. */
export const queryPath = v.pipe(
  v.string("expected OWNER/NAME"),
  v.regex(/^[^/]+\/[^/]+$/, "expected OWNER/NAME"),
  v.check((path) => {
    const [owner, name] = path.split("/");
    return v.is(userName, owner) && v.is(queryName, name);
  }, "expected the name of a user, `/` and a name of letters, digits, `.`, `_` and `-`"),
);
export const rowLimit = v.pipe(
  v.number("expected a number"),
  v.integer("expected a whole number"),
  v.minValue(1, "expected 1 or more"),
  v.maxValue(1000, "expected at most 1000"),
);

/** `PUT /api/v1/queries/OWNER/NAME` */
export const putQuerySchema = v.strictObject({
  description: v.optional(v.pipe(v.string(), v.maxLength(1000)), ""),
  entity: v.optional(oneOf(...ENTITIES), "testjob"),
  conditions: v.optional(conditions, ""),
  /** Rows of an answer. */
  limit: v.optional(rowLimit, 200),
  /** Everybody who is signed in may use it; each sees the jobs that they may see. */
  published: v.optional(v.boolean("expected true or false"), false),
  /** Whose members may use and change it. */
  group: v.optional(groupName),
});
export type PutQuery = v.InferOutput<typeof putQuerySchema>;
