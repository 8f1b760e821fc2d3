import { badField } from "./drf.ts";

type Value = string | number | boolean | null | undefined;

/** What a list can be filtered by, under LAVA's name of it, as the client writes it: `health`, `device_type__name`. */
export interface Field<T> {
  readonly kind: "text" | "number" | "time" | "flag" | "choice";
  /** One value, or several of which one has to fit. */
  readonly of: (row: T) => Value | readonly Value[];
  /** The words of a choice. */
  readonly choices?: readonly string[];
  /** What of a row `of` looks at, where a list has not all of each. */
  readonly reads?: keyof T;
}
export type Fields<T> = Readonly<Record<string, Field<T>>>;
export type Fits<T> = (row: T) => boolean;

/** Of the page itself. */
const NO_FILTERS = new Set(["limit", "offset", "ordering", "search", "format", "from_id"]);
const MOST_FILTERS = 20;
const MOST_VALUES = 500;

/**
 * The filters of a query (`state__in=Running,Submitted`), one for each parameter that names a field and, behind `__`, a lookup. A
 * parameter that names none is left alone, as LAVA does. Throws a refusal for a value that is none of the field's.
 */
export function readFilters<T>(fields: Fields<T>, query: URLSearchParams): Fits<T>[] {
  const filters: Fits<T>[] = [];
  for (const [name, text] of query) {
    if (NO_FILTERS.has(name)) continue;
    const [field, lookup] = namedIn(fields, name);
    if (!field) continue;
    if (filters.length === MOST_FILTERS) throw badField(name, "Expected at most 20 filters.");
    const fits = filterOf(field, lookup, text, name);
    if (fits) filters.push(fits);
  }
  return filters;
}

/** What the filters of a query look at. */
export function readBy<T>(fields: Fields<T>, query: URLSearchParams): (keyof T)[] {
  const names = [...query.keys()].filter((name) => !NO_FILTERS.has(name));
  return names.flatMap((name) => namedIn(fields, name)[0]?.reads ?? []);
}

function namedIn<T>(fields: Fields<T>, name: string): [Field<T> | undefined, string] {
  const exact = ownField(fields, name);
  if (exact) return [exact, "exact"];
  const [, field = "", lookup = ""] = /^(.+)__([a-z]+)$/.exec(name) ?? [];
  return [ownField(fields, field), lookup];
}

/** Not what every object has: names are whoever's who asks. */
const ownField = <T>(fields: Fields<T>, name: string): Field<T> | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined;

function filterOf<T>(
  field: Field<T>,
  lookup: string,
  text: string,
  name: string,
): Fits<T> | undefined {
  const valuesOf = (row: T): readonly Value[] => [field.of(row)].flat() as readonly Value[];
  // What is neither is as if it had not been said, as in LAVA.
  if (field.kind === "flag" && lookup === "exact" && !/^(true|false|1|0)$/i.test(text))
    return undefined;
  if (lookup === "isnull") {
    const wanted = /^(true|1)$/i.test(text);
    const isNull = (row: T) =>
      valuesOf(row).every((value) => value === null || value === undefined);
    return (row) => isNull(row) === wanted;
  }
  if (lookup === "in") {
    const texts = text.split(",").slice(0, MOST_VALUES);
    const wanted = new Set(texts.map((one) => readValue(field, one.trim(), name)));
    return (row) => valuesOf(row).some((value) => wanted.has(comparable(field, value)));
  }
  const order = ORDER[lookup];
  if (order) {
    const wanted = readValue(field, text, name);
    return (row) =>
      valuesOf(row).some((value) => {
        const found = comparable(field, value);
        return found !== undefined && wanted !== undefined && order(found, wanted);
      });
  }
  const compare = TEXT[lookup];
  if (!compare) return undefined;
  return (row) =>
    valuesOf(row).some(
      (value) => value !== null && value !== undefined && compare(String(value), text),
    );
}

type Comparable = string | number | boolean | undefined;

const ORDER: Readonly<
  Record<string, (a: string | number | boolean, b: string | number | boolean) => boolean>
> = {
  exact: (a, b) => a === b,
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
};
const lower = (text: string): string => text.toLowerCase();
const TEXT: Readonly<Record<string, (value: string, text: string) => boolean>> = {
  iexact: (value, text) => lower(value) === lower(text),
  contains: (value, text) => value.includes(text),
  icontains: (value, text) => lower(value).includes(lower(text)),
  startswith: (value, text) => value.startsWith(text),
  istartswith: (value, text) => lower(value).startsWith(lower(text)),
  endswith: (value, text) => value.endsWith(text),
  iendswith: (value, text) => lower(value).endsWith(lower(text)),
};

/** What a row has, in the form in which `readValue` reads what is asked for: times as milliseconds. */
function comparable<T>({ kind }: Field<T>, value: Value): Comparable {
  if (value === null || value === undefined) return undefined;
  return kind === "time" ? Date.parse(String(value)) : value;
}

function readValue<T>({ kind, choices = [] }: Field<T>, text: string, name: string): Comparable {
  switch (kind) {
    case "number":
      if (!/^-?\d{1,15}(\.\d{1,10})?$/.test(text)) throw badField(name, "Enter a number.");
      return Number(text);
    case "flag":
      return /^(true|1)$/i.test(text);
    case "time":
      return readTime(text, name);
    case "choice":
      if (choices.includes(text)) return text;
      throw badField(
        name,
        `Select a valid choice. ${text.slice(0, 100)} is not one of the available choices: ${choices.join(", ")}.`,
      );
    case "text":
      return text;
  }
}

/** Without a zone it is UTC. */
function readTime(text: string, name: string): number {
  const [, day, time, zone = "Z"] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(Z|[ +-]\d\d:?\d\d)?)?$/.exec(
      text,
    ) ?? [];
  // A plus that was not escaped is a space.
  const ms =
    day === undefined
      ? Number.NaN
      : Date.parse(`${day}T${time ?? "00:00"}${zone.replace(" ", "+")}`);
  if (Number.isNaN(ms)) throw badField(name, "Enter a valid date/time.");
  return ms;
}

/** By `?ordering=name,-health`; fields that are none are left alone, as LAVA does. Undefined where nothing orders. */
export function readOrdering<T>(
  fields: Fields<T>,
  text: string | undefined,
): ((a: T, b: T) => number) | undefined {
  const keys = (text ?? "")
    .split(",", 5)
    .map((key) => ({
      field: ownField(fields, key.replace(/^-/, "")),
      sign: key.startsWith("-") ? -1 : 1,
    }))
    .filter((key): key is { field: Field<T>; sign: 1 | -1 } => key.field !== undefined);
  if (keys.length === 0) return undefined;
  return (a, b) => {
    for (const { field, sign } of keys) {
      const [one, other] = [a, b].map((row) =>
        comparable(field, [field.of(row)].flat()[0] as Value),
      );
      if (one === other) continue;
      // What has no value comes last, as in PostgreSQL.
      if (one === undefined) return sign;
      if (other === undefined) return -sign;
      return one < other ? -sign : sign;
    }
    return 0;
  };
}
