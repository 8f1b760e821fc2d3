import { Callable, itemsOf, numberOf, str, Tuple, Undefined, type Value } from "./value.ts";

/**
 * `value.name`: a method of the value, else the item of that name in a dict (Jinja2's order). Only methods that
 * read: a template can't change a value or reach anything behind it.
 */
export function attributeOf(value: Value, name: string): Value {
  const method =
    value instanceof Map
      ? dictMethod(value, name)
      : typeof value === "string"
        ? textMethod(value, name)
        : undefined;
  if (method) return new Callable(name, method);
  if (value instanceof Map)
    return value.get(name) ?? (value.has(name) ? null : new Undefined(name));
  return new Undefined(
    `${typeof value === "object" ? "an object" : typeof value} has no attribute ${name}`,
  );
}

/** `value[key]`; undefined when there is no such item. */
export function itemOf(value: Value, key: Value): Value {
  if (value instanceof Map)
    return value.has(key) ? (value.get(key) ?? null) : new Undefined(str(key));
  const index = numberOf(key);
  const items =
    typeof value === "string" || Array.isArray(value) || value instanceof Tuple
      ? itemsOf(value)
      : undefined;
  if (items && index !== undefined) return items.at(index) ?? new Undefined(`item ${index}`);
  return typeof key === "string" ? attributeOf(value, key) : new Undefined(str(key));
}

type Method = Callable["call"];

function dictMethod(dict: Map<Value, Value>, name: string): Method | undefined {
  switch (name) {
    case "get":
      return ([key = null, otherwise = null]) =>
        dict.has(key) ? (dict.get(key) ?? null) : otherwise;
    case "items":
      return () => [...dict].map((entry) => new Tuple(entry));
    case "keys":
      return () => [...dict.keys()];
    case "values":
      return () => [...dict.values()];
    default:
      return undefined;
  }
}

function textMethod(text: string, name: string): Method | undefined {
  switch (name) {
    case "upper":
      return () => text.toUpperCase();
    case "lower":
      return () => text.toLowerCase();
    case "strip":
      return () => text.trim();
    case "split":
      return ([separator]) =>
        separator === undefined || separator === null
          ? text.split(/\s+/).filter((word) => word !== "")
          : text.split(str(separator));
    case "replace":
      return ([from = "", to = ""]) => text.replaceAll(str(from), () => str(to));
    case "startswith":
      return ([start = ""]) => text.startsWith(str(start));
    case "endswith":
      return ([end = ""]) => text.endsWith(str(end));
    case "join":
      return ([items = ""]) => (itemsOf(items) ?? []).map(str).join(text);
    default:
      return undefined;
  }
}
