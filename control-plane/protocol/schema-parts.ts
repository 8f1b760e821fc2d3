import * as v from "valibot";
import { nearestWord } from "./nearest-word.ts";

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
const mapping = v.custom<Record<string, unknown>>(
  (input) => typeof input === "object" && input !== null && !Array.isArray(input),
  "expected a mapping",
);

/** A mapping of any keys (`key` may narrow them) to values of one kind. */
export const mapOf = <
  V extends v.GenericSchema,
  K extends v.GenericSchema<string, string> = v.StringSchema<undefined>,
>(
  value: V,
  key: K = v.string() as unknown as K,
) => v.pipe(mapping, v.record(key, value));

export const anyMapping = mapOf(v.unknown());

/** A mapping of which these keys are known and any others allowed. */
export const loose = <E extends v.ObjectEntries>(entries: E) =>
  v.pipe(mapping, v.looseObject(entries));

/** A mapping of which these keys are known and no others allowed. */
export function strict<E extends v.ObjectEntries>(entries: E) {
  return v.pipe(
    loose(entries),
    v.rawCheck(({ dataset, addIssue }) => {
      const input = dataset.value as unknown;
      if (typeof input !== "object" || input === null) return;
      for (const key of Object.keys(input).filter((name) => !Object.hasOwn(entries, name))) {
        addIssue({
          message: unknownKey(key, Object.keys(entries)),
          path: [
            {
              type: "object",
              origin: "key",
              input: input as Record<string, unknown>,
              key,
              value: (input as Record<string, unknown>)[key],
            },
          ],
        });
      }
    }),
  );
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
