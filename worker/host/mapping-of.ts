type Mapping = Readonly<Record<string, unknown>>;

/** A value that may be a mapping; undefined when it is anything else. */
export const findMapping = (value: unknown): Mapping | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Mapping)
    : undefined;

/** A value that should be a mapping; an empty one when it is anything else. */
export const mappingOf = (value: unknown): Mapping => findMapping(value) ?? {};
