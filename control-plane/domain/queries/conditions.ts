import {
  ENTITIES,
  OPERATORS,
  TABLES,
  type Condition,
  type ConditionTable,
  type Entity,
  type Operator,
} from "#protocol/saved-query.ts";
import { AppError } from "../app-error.ts";
import type { JobRecord } from "../job-record.ts";
import type { CaseSummary } from "../results/job-summary.ts";

type Kind = "text" | "number" | "time" | "flag";
type Value = string | undefined;
interface Field<T> {
  kind: Kind;
  of: (record: T) => Value;
}

/** Fields of SCHEDULER.md 10; `id`, `submit_time` and `error_type` are ours. */
const JOB_FIELDS: Readonly<Record<string, Field<JobRecord>>> = {
  job: { kind: "number", of: ({ id }) => String(id) },
  id: { kind: "number", of: ({ id }) => String(id) },
  submitter: { kind: "text", of: ({ submitter }) => submitter },
  submit_time: { kind: "time", of: ({ submit_time }) => submit_time },
  start_time: { kind: "time", of: ({ start_time }) => start_time },
  end_time: { kind: "time", of: ({ end_time }) => end_time },
  state: { kind: "text", of: ({ state }) => state },
  health: { kind: "text", of: ({ health }) => health },
  actual_device: { kind: "text", of: ({ device }) => device },
  requested_device_type: { kind: "text", of: ({ device_type }) => device_type },
  health_check: { kind: "flag", of: ({ health_check = false }) => String(health_check) },
  priority: { kind: "number", of: ({ priority }) => String(priority) },
  description: { kind: "text", of: ({ description }) => description },
  error_type: { kind: "text", of: ({ error_type }) => error_type },
};
const CASE_FIELDS: Readonly<Record<string, Field<CaseSummary>>> = {
  name: { kind: "text", of: ({ name }) => name },
  result: { kind: "text", of: ({ result }) => result },
  measurement: { kind: "number", of: ({ measurement }) => measurement },
};
const SUITE_FIELDS: Readonly<Record<string, Field<CaseSummary>>> = {
  name: { kind: "text", of: ({ suite }) => suite },
};

/**
 * Conditions in LAVA's text form, `[table__]field__[operator__]value` joined by commas (SCHEDULER.md 10): the table is the
 * entity's and the operator `exact` when not said. Throws `invalid`.
 */
export function parseConditions(text: string, entity: Entity): Condition[] {
  const conditions = text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "")
    .map((one) => parseCondition(one, entity));
  if (conditions.length > 20) throw new AppError("invalid", "conditions: expected at most 20");
  return conditions.map(checked);
}

function parseCondition(text: string, entity: Entity): Condition {
  const words = text.split("__");
  const named = TABLES.find((table) => table === words[0]);
  const [field = "", second, ...rest] = named ? words.slice(1) : words;
  if (field === "" || second === undefined) {
    throw new AppError(
      "invalid",
      `condition ${JSON.stringify(text)}: expected [table__]field__[operator__]value`,
    );
  }
  const operator = OPERATORS.find((one) => one === second);
  const table: ConditionTable = named ?? entity;
  return operator && rest.length > 0
    ? { table, field, operator, value: rest.join("__") }
    : { table, field, operator: "exact", value: [second, ...rest].join("__") };
}

/** The text form again. */
export const conditionText = ({ table, field, operator, value }: Condition): string =>
  `${table}__${field}__${operator}__${value}`;

/** The condition, if it can be asked: a field that there is, and a value that it could have. Throws `invalid`. */
export function checked(condition: Condition): Condition {
  const { table, field, operator, value } = condition;
  if (table === "metadata") return condition;
  const fields = fieldsOf(table);
  const known = Object.hasOwn(fields, field) ? fields[field] : undefined;
  if (!known) {
    const expected = Object.keys(fields).join(", ");
    throw new AppError("invalid", `${table} has no field ${field}: expected ${expected}`);
  }
  if (operator !== "iexact" && operator !== "icontains" && !isOfKind(known.kind, value)) {
    const what = { text: "text", number: "a number", time: "a time", flag: "true or false" };
    throw new AppError(
      "invalid",
      `${table}__${field}: expected ${what[known.kind]}, not ${JSON.stringify(value)}`,
    );
  }
  return condition;
}

/** All fields there are, for a list to choose from. */
export const fieldNames = (): string[] => [
  ...new Set([JOB_FIELDS, SUITE_FIELDS, CASE_FIELDS].flatMap((fields) => Object.keys(fields))),
];

const fieldsOf = (table: Entity): Readonly<Record<string, Pick<Field<never>, "kind">>> =>
  ({ testjob: JOB_FIELDS, testsuite: SUITE_FIELDS, testcase: CASE_FIELDS })[table];

const isOfKind = (kind: Kind, value: string): boolean =>
  kind === "text" ||
  (kind === "flag" && flagOf(value) !== undefined) ||
  (kind === "number" && isNumber(value)) ||
  (kind === "time" && !Number.isNaN(timeOf(value)));

/** Whether a job fits all conditions on jobs. */
export const fitsJob = (job: JobRecord, conditions: readonly Condition[]): boolean =>
  conditions.every((one) => one.table !== "testjob" || isMet(one, JOB_FIELDS[one.field], job));

/** Whether a job's attributes fit all conditions on them. */
export const fitsMetadata = (
  metadata: Readonly<Record<string, string>>,
  conditions: readonly Condition[],
): boolean =>
  conditions.every(
    ({ table, field, operator, value }) =>
      table !== "metadata" ||
      compare(
        "text",
        Object.hasOwn(metadata, field) ? metadata[field] : undefined,
        operator,
        value,
      ),
  );

/** Whether a case and its suite fit all conditions on cases and suites. */
export const fitsCase = (one: CaseSummary, conditions: readonly Condition[]): boolean =>
  conditions.every((condition) => {
    if (condition.table === "testcase") return isMet(condition, CASE_FIELDS[condition.field], one);
    return condition.table !== "testsuite" || isMet(condition, SUITE_FIELDS[condition.field], one);
  });

/** Whether a table is asked about at all. */
export const isAbout = (conditions: readonly Condition[], ...tables: ConditionTable[]): boolean =>
  conditions.some(({ table }) => tables.includes(table));

/** The entity, if it is one. */
export const isEntity = (name: string): name is Entity => ENTITIES.some((one) => one === name);

const isMet = <T>({ operator, value }: Condition, field: Field<T> | undefined, record: T) =>
  field !== undefined && compare(field.kind, field.of(record), operator, value);

/** What is not there is equal to nothing. */
function compare(kind: Kind, is: Value, operator: Operator, wanted: string): boolean {
  if (operator === "ne") return is === undefined || !isEqual(kind, is, wanted);
  if (is === undefined) return false;
  if (operator === "exact") return isEqual(kind, is, wanted);
  if (operator === "iexact") return is.toLowerCase() === wanted.toLowerCase();
  if (operator === "icontains") return is.toLowerCase().includes(wanted.toLowerCase());
  const order = orderOf(kind, is, wanted);
  return operator === "gt" ? order > 0 : order < 0;
}

function isEqual(kind: Kind, is: string, wanted: string): boolean {
  if (kind === "number") return Number(is) === numberOf(wanted);
  if (kind === "time") return timeOf(is) === timeOf(wanted);
  return kind === "flag" ? flagOf(is) === flagOf(wanted) : is === wanted;
}

/** Text is compared as numbers where both are. */
function orderOf(kind: Kind, is: string, wanted: string): number {
  if (kind === "time") return timeOf(is) - timeOf(wanted);
  if (kind === "number" || (isNumber(is) && isNumber(wanted))) return Number(is) - numberOf(wanted);
  return is < wanted ? -1 : Number(is > wanted);
}

const PRIORITIES: Readonly<Record<string, number>> = { high: 100, medium: 50, low: 0 };
const isNumber = (text: string): boolean =>
  text in PRIORITIES || (text.trim() !== "" && Number.isFinite(Number(text)));
const numberOf = (text: string): number => PRIORITIES[text] ?? Number(text);

/** Without a zone it is UTC. */
function timeOf(text: string): number {
  const iso = text.trim().replace(" ", "T");
  return Date.parse(/^\d{4}-\d\d-\d\dT[\d:.]+$/.test(iso) ? `${iso}Z` : iso);
}

function flagOf(text: string): boolean | undefined {
  if (/^(true|1|yes)$/i.test(text)) return true;
  return /^(false|0|no)$/i.test(text) ? false : undefined;
}
