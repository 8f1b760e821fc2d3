import * as v from "valibot";

/**
 * An object of any keys, as `v.record`, which drops `__proto__`, `prototype` and `constructor` without a word: people call their
 * tags, groups, messages and measurements what they like. All keys come out as the object's own, so nothing is inherited by them;
 * who looks one up asks `Object.hasOwn` first.
 */
export function plainRecord<
  K extends v.GenericSchema<string, string | number | symbol>,
  V extends v.GenericSchema,
>(key: K, value: V, message?: string) {
  const schema = v.record(key, value, message);
  type Run = (typeof schema)["~run"];
  const run = (dataset: Parameters<Run>[0], config: Parameters<Run>[1]) => {
    const input = dataset.value;
    if (typeof input !== "object" || input === null) return schema["~run"](dataset, config);
    const issues: v.BaseIssue<unknown>[] = [];
    const entries: [PropertyKey, unknown][] = [];
    let typed = true;
    for (const [name, inner] of Object.entries(input)) {
      const at = { type: "object", input, key: name, value: inner };
      const named = key["~run"]({ value: name }, config);
      for (const issue of named.issues ?? []) {
        issues.push({ ...issue, path: [{ ...at, origin: "key" } as v.ObjectPathItem] });
      }
      if (named.issues && config.abortEarly) return { typed: false, value: {}, issues } as never;
      const valued = value["~run"]({ value: inner }, config);
      for (const issue of valued.issues ?? []) {
        const item = { ...at, origin: "value" } as v.ObjectPathItem;
        issues.push({ ...issue, path: [item, ...(issue.path ?? [])] });
      }
      typed &&= named.typed && valued.typed;
      if (named.typed) entries.push([named.value, valued.value]);
      if (valued.issues && config.abortEarly) return { typed: false, value: {}, issues } as never;
    }
    const read = { typed, value: Object.fromEntries(entries) };
    return (issues.length > 0 ? { ...read, issues } : read) as ReturnType<Run>;
  };
  return { ...schema, "~run": run };
}
