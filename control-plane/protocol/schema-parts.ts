import * as v from "valibot";
import { nearestWord } from "./nearest-word.ts";
import { plainRecord } from "./plain-record.ts";

/** Pieces from which the schemas of LAVA's files are made; their messages say what was expected. */

export const text = v.string("expected text");
export const nonEmptyText = v.pipe(text, v.nonEmpty("expected text that is not empty"));
export const flag = v.boolean("expected true or false");
export const listOf = <S extends v.GenericSchema>(item: S) => v.array(item, "expected a list");

/** PyYAML's integers; a boolean passes as one, as it does in Python (JOB.md 0). */
export const integer = v.pipe(
  v.union([v.number(), v.boolean()], "expected a whole number"),
  v.transform(Number),
  v.integer("expected a whole number"),
);

/** Lists are objects to JavaScript, and not mappings to anybody. */
const isMapping = (input: unknown): input is Record<string, unknown> =>
  typeof input === "object" && input !== null && !Array.isArray(input);
const mapping = v.custom<Record<string, unknown>>(isMapping, "expected a mapping");

/** A mapping of any keys (`key` may narrow them) to values of one kind. */
export const mapOf = <
  V extends v.GenericSchema,
  K extends v.GenericSchema<string, string> = v.StringSchema<undefined>,
>(
  value: V,
  key: K = v.string() as unknown as K,
) => v.pipe(mapping, plainRecord(key, value));

export const anyMapping = mapOf(v.unknown());

/** A mapping of these keys, and of any others whose values are all of one kind. */
export const mapWith = <E extends v.ObjectEntries, R extends v.GenericSchema>(
  entries: E,
  rest: R,
) => v.pipe(mapping, v.objectWithRest(entries, rest));

/** A mapping of which these keys are known and any others allowed. */
export const loose = <E extends v.ObjectEntries>(entries: E) =>
  v.pipe(mapping, v.looseObject(entries));

/** A mapping of which these keys are known and no others allowed. */
export const strict = <E extends v.ObjectEntries>(entries: E) =>
  v.pipe(
    loose(entries),
    rule((input) => unknownKeys(input, Object.keys(entries))),
    v.metadata({ additionalProperties: false }),
  );

/** Every key may be left out. */
export const may = <E extends Record<string, v.GenericSchema>>(entries: E) =>
  Object.fromEntries(Object.entries(entries).map(([key, value]) => [key, v.optional(value)])) as {
    [K in keyof E]: v.OptionalSchema<E[K], undefined>;
  };

/** What a rule finds wrong inside the value that it is given. */
export interface Finding {
  path: readonly (string | number)[];
  message: string;
}

/** A rule between keys. It is asked also when the value has other faults, so it must take anything. */
export const rule = <T>(find: (value: unknown) => Finding[]) =>
  v.rawCheck<T>(({ dataset, addIssue }) => {
    for (const { path, message } of find(dataset.value)) {
      const [first, ...more] = path.map((key) => pathItem(dataset.value, key));
      addIssue({ message, ...(first && { path: [first, ...more] }) });
    }
  });

const pathItem = (input: unknown, key: string | number): v.IssuePathItem => ({
  type: "unknown",
  origin: "key",
  input,
  key,
  value: undefined,
});

/** The value as a mapping, if it is one. */
export const asMapping = (value: unknown): Record<string, unknown> | undefined =>
  isMapping(value) ? value : undefined;

/** Of one mapping; more are not told. */
const MAX_UNKNOWN_KEYS = 50;

function unknownKeys(input: unknown, known: readonly string[]): Finding[] {
  return Object.keys(asMapping(input) ?? {})
    .filter((key) => !known.includes(key))
    .slice(0, MAX_UNKNOWN_KEYS)
    .map((key) => ({ path: [key], message: unknownKey(key, known) }));
}

export function oneOf<const W extends readonly string[]>(...words: W) {
  return v.picklist(words, (issue) => {
    const near = typeof issue.input === "string" ? nearestWord(issue.input, words) : undefined;
    const hint = near === undefined ? "" : `; did you mean ${near}?`;
    return `expected ${words.join(", ")}${hint}`;
  });
}

/** "unknown key …" with the nearest known one, or all when none is near. */
export function unknownKey(key: string, known: readonly string[]): string {
  const near = nearestWord(key, known);
  const hint = near === undefined ? `expected one of ${known.join(", ")}` : `did you mean ${near}?`;
  return `unknown key ${JSON.stringify(key)}; ${hint}`;
}
