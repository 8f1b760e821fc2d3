import * as v from "valibot";
import { asMapping, loose, oneOf, rule } from "#protocol/schema-parts.ts";

/**
 * Choices between schemas that tell the problems of the one that was meant; valibot's own union tells those of all.
 * They are unions to whoever asks what they are made of, and only run otherwise (`~run`, which every schema has).
 * `when` says in JSON Schema when an option is meant, for an editor that does as well.
 */
export interface Choice extends v.GenericSchema {
  options: readonly v.GenericSchema[];
  when?: readonly Condition[];
}

interface Condition {
  required: readonly string[];
  properties?: Record<string, { const: string }>;
}

/** One of the options; when none fits, the problems are those of the one at the index that `likely` gives. */
export const anyOf = (
  options: readonly v.GenericSchema[],
  likely: (input: unknown) => number,
): Choice => ({
  ...v.union([...options]),
  "~run": (dataset, config) => {
    const { value } = dataset;
    const results = [];
    for (const option of options) {
      const result = option["~run"]({ value }, config);
      if (!result.issues) return result;
      results.push(result);
    }
    return results[likely(value)] ?? v.never()["~run"](dataset, config);
  },
});

/** A mapping of which the word at one key says which keys it may have besides. */
export function byWord(key: string, table: Readonly<Record<string, v.GenericSchema>>): Choice {
  const words = Object.keys(table);
  const unknown = loose({ [key]: oneOf(...words) });
  const options = Object.values(table);
  return {
    ...v.union(options),
    when: words.map((word) => ({ properties: { [key]: { const: word } }, required: [key] })),
    "~run": (dataset, config) => {
      const word = asMapping(dataset.value)?.[key];
      const known = typeof word === "string" && Object.hasOwn(table, word);
      return ((known && table[word]) || unknown)["~run"](dataset, config);
    },
  };
}

/** A mapping that is of the first kind of which it has all the keys. */
export function byPresence(
  kinds: readonly { keys: readonly string[]; schema: v.GenericSchema }[],
): Choice {
  const words = [...new Set(kinds.map(({ keys: [first = ""] }) => first))];
  const message = `expected one of the keys ${words.join(", ")}`;
  const none = v.pipe(
    loose({}),
    rule((input) => (asMapping(input) ? [{ path: [], message }] : [])),
  );
  return {
    ...v.union(kinds.map(({ schema }) => schema)),
    when: kinds.map(({ keys }) => ({ required: keys })),
    "~run": (dataset, config) => {
      const input = asMapping(dataset.value) ?? {};
      const meant = kinds.find(({ keys }) => keys.every((key) => Object.hasOwn(input, key)));
      return (meant?.schema ?? none)["~run"](dataset, config);
    },
  };
}

/** Whether the value is a mapping that has this key: how `likely` is most often told. */
export const has = (input: unknown, key: string): boolean =>
  Object.hasOwn(asMapping(input) ?? {}, key);
