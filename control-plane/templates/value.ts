/**
 * Values of a template as Python has them: None is null, an int is a number, a float is a `Float` (1 and 1.0 are
 * printed differently), a dict is a Map in the order it was written.
 */
export type Value =
  | null
  | boolean
  | number
  | string
  | Float
  | Undefined
  | Tuple
  | Callable
  | Value[]
  | Map<Value, Value>;

export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** What a name or key is that isn't there: prints empty, is false, iterates as empty. */
export class Undefined {
  readonly hint: string;
  constructor(hint: string) {
    this.hint = hint;
  }
}

export class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** A method, `super` or a block: something that can only be called. */
export class Callable {
  readonly name: string;
  readonly call: (args: Value[], named: ReadonlyMap<string, Value>) => Value;
  constructor(name: string, call: Callable["call"]) {
    this.name = name;
    this.call = call;
  }
}

/** Python's str(): what `{{ x }}` prints. */
export function str(value: Value): string {
  if (typeof value === "string") return value;
  return value instanceof Undefined ? "" : repr(value);
}

/** Python's repr(). */
export function repr(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return reprText(value);
  if (value instanceof Float) return reprFloat(value.value);
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Callable) return `<function ${value.name}>`;
  if (value instanceof Tuple) {
    const items = value.items.map(repr);
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
  }
  if (Array.isArray(value)) return `[${value.map(repr).join(", ")}]`;
  return `{${[...value].map(([key, item]) => `${repr(key)}: ${repr(item)}`).join(", ")}}`;
}

function reprText(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let inside = "";
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === "\\" || char === quote) inside += `\\${char}`;
    else if (char === "\n") inside += "\\n";
    else if (char === "\r") inside += "\\r";
    else if (char === "\t") inside += "\\t";
    else if (code < 0x20 || code === 0x7f) inside += `\\x${code.toString(16).padStart(2, "0")}`;
    else inside += char;
  }
  return quote + inside + quote;
}

function reprFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return `${value}.0`;
  // JavaScript writes 0.00001 and 100000000000000000 where Python has 1e-05 and 1e+17.
  const size = Math.abs(value);
  const isShort = value === 0 || (size >= 1e-4 && size < 1e16);
  const text = isShort ? String(value) : value.toExponential();
  const exponent = /^(.*)e([+-])(\d)$/.exec(text);
  return exponent ? `${exponent[1]}e${exponent[2]}0${exponent[3]}` : text;
}

export function isTrue(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (typeof value === "boolean") return value;
  if (typeof value === "number") return value !== 0;
  if (typeof value === "string") return value !== "";
  if (value instanceof Float) return value.value !== 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (Array.isArray(value)) return value.length > 0;
  return value instanceof Map ? value.size > 0 : true;
}

/** Python's `==`: 1, 1.0 and True are equal. */
export function equals(a: Value, b: Value): boolean {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x === y;
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Tuple && b instanceof Tuple) return sameItems(a.items, b.items);
  if (Array.isArray(a) && Array.isArray(b)) return sameItems(a, b);
  if (a instanceof Map && b instanceof Map) {
    return (
      a.size === b.size &&
      [...a].every(([key, item]) => b.has(key) && equals(item, b.get(key) ?? null))
    );
  }
  return a === b;
}

const sameItems = (a: readonly Value[], b: readonly Value[]): boolean =>
  a.length === b.length && a.every((item, index) => equals(item, b[index] ?? null));

/** The number that Python counts a value as: ints, floats and booleans. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  return value instanceof Float ? value.value : undefined;
}

/** The items that a `for` sees; undefined when the value can't be iterated. */
export function itemsOf(value: Value): readonly Value[] | undefined {
  if (value instanceof Undefined) return [];
  if (typeof value === "string") return Array.from(value);
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  return value instanceof Map ? [...value.keys()] : undefined;
}

/** A value of JSON or YAML as a template's. */
export function fromData(data: unknown): Value {
  if (data === null || data === undefined) return null;
  if (typeof data === "boolean" || typeof data === "string") return data;
  if (typeof data === "number") return Number.isInteger(data) ? data : new Float(data);
  if (Array.isArray(data)) return data.map(fromData);
  if (typeof data === "object") {
    return new Map(Object.entries(data).map(([key, item]) => [key, fromData(item)]));
  }
  return String(data);
}

const weights = new WeakMap<object, number>();

/**
 * What a value takes when it is written out: its characters and its items, those that stand in it several times as
 * often. It tells what a few statements can build and no memory holds.
 */
export function weigh(value: Value): number {
  if (typeof value === "string") return value.length + 1;
  if (typeof value !== "object" || value === null) return 1;
  const known = weights.get(value);
  if (known !== undefined) return known;
  const items = value instanceof Map ? [...value].flat() : (itemsOf(value) ?? []);
  const weight = items.reduce<number>((sum, item) => sum + weigh(item), 1);
  weights.set(value, weight);
  return weight;
}
