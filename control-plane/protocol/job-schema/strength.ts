import type * as v from "valibot";
import { loose, strict } from "#protocol/schema-parts.ts";

/** How LAVA's full schema is applied: keys that it doesn't know are allowed or refused (JOB.md 0). */
export type Strength = "lenient" | "strict";

/** A mapping of these keys. One that begins with `^` is a pattern, for any keys that match it. */
export type Mapping = (
  entries: v.ObjectEntries,
) => v.GenericSchema<Record<string, unknown>, Record<string, unknown>>;

/** How a mapping is made at that strength. */
export function mappingOf(strength: Strength): Mapping {
  const plain: Mapping = strength === "strict" ? strict : loose;
  return (entries) => {
    const patterns = Object.keys(entries).filter((key) => key.startsWith("^"));
    if (patterns.length === 0) return plain(entries);
    return {
      ...plain(entries),
      "~run": (dataset, config) =>
        plain(matching(entries, patterns, dataset.value))["~run"](dataset, config),
    };
  };
}

/** The entries with each pattern replaced by the keys that match it here. */
function matching(
  entries: v.ObjectEntries,
  patterns: readonly string[],
  input: unknown,
): v.ObjectEntries {
  const found = Object.entries(entries).filter(([key]) => !patterns.includes(key));
  for (const key of Object.keys(typeof input === "object" ? (input ?? {}) : {})) {
    const pattern = patterns.find((one) => new RegExp(one).test(key));
    const schema = pattern === undefined ? undefined : entries[pattern];
    if (schema && !Object.hasOwn(entries, key)) found.push([key, schema]);
  }
  return Object.fromEntries(found);
}
