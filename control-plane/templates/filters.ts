import { Float, isTrue, itemsOf, numberOf, str, Undefined, type Value } from "./value.ts";

/** Of what a filter puts in. */
const MAX_CHARS = 1_000_000;

export type Filter = (
  input: Value,
  args: readonly Value[],
  named: ReadonlyMap<string, Value>,
) => Value;

const argument = (
  args: readonly Value[],
  named: ReadonlyMap<string, Value>,
  index: number,
  name: string,
): Value | undefined => (index < args.length ? args[index] : named.get(name));

/** The filters of DEVICE.md 4, and those of Jinja2 that a dictionary in the field may use. */
export const FILTERS: Readonly<Record<string, Filter>> = {
  default: fallback,
  d: fallback,
  string: (input) => str(input),
  join: (input, args, named) => {
    const items = (itemsOf(input) ?? fail("join wants a list")).map(str);
    const between = str(argument(args, named, 0, "d") ?? "");
    requireShort(items.length * between.length);
    return items.join(between);
  },
  replace: (input, args, named) => {
    const from = str(argument(args, named, 0, "old") ?? fail("replace wants two texts"));
    const to = str(argument(args, named, 1, "new") ?? fail("replace wants two texts"));
    const text = str(input);
    requireShort(text.split(from).length * to.length);
    return text.replaceAll(from, () => to);
  },
  indent,
  upper: (input) => str(input).toUpperCase(),
  lower: (input) => str(input).toLowerCase(),
  trim: (input) => str(input).trim(),
  length: (input) => (itemsOf(input) ?? fail("length wants a text, list or mapping")).length,
  count: (input) => (itemsOf(input) ?? fail("count wants a text, list or mapping")).length,
  list: (input) => [...(itemsOf(input) ?? fail("list wants a text, list or mapping"))],
  first: (input) => itemsOf(input)?.[0] ?? new Undefined("the first item of nothing"),
  last: (input) => itemsOf(input)?.at(-1) ?? new Undefined("the last item of nothing"),
  int: (input, args, named) => {
    const text = typeof input === "string" ? input.trim() : undefined;
    const number =
      text === undefined
        ? numberOf(input)
        : /^[-+]?\d+(\.\d*)?$/.test(text)
          ? Number(text)
          : undefined;
    return number === undefined ? (argument(args, named, 0, "default") ?? 0) : Math.trunc(number);
  },
  float: (input) =>
    new Float(numberOf(input) ?? (typeof input === "string" ? Number(input) || 0 : 0)),
  shlex_quote: (input) => {
    const text = str(input);
    return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`;
  },
  yaml_quote: (input) => JSON.stringify(str(input)),
  qemu_guest_fs_interface: (input, args) => {
    const [override] = args;
    if (override !== undefined && isTrue(override)) return override;
    return ["amd64", "x86_64", "i386"].includes(str(input)) ? "ide" : "virtio";
  },
};

/** Only what is undefined gets the other value; with `boolean` also what is false (DEVICE.md 4). */
function fallback(input: Value, args: readonly Value[], named: ReadonlyMap<string, Value>): Value {
  const otherwise = argument(args, named, 0, "default_value");
  const boolean = argument(args, named, 1, "boolean");
  const isMissing =
    input instanceof Undefined || (boolean !== undefined && isTrue(boolean) && !isTrue(input));
  return isMissing ? (otherwise === undefined ? "" : otherwise) : input;
}

/** Lines after the first are moved right; empty ones stay empty unless `blank`. */
function indent(input: Value, args: readonly Value[], named: ReadonlyMap<string, Value>): Value {
  if (typeof input !== "string") {
    fail(input instanceof Undefined ? `${input.hint} is undefined` : "indent wants a text");
  }
  const width = argument(args, named, 0, "width") ?? 4;
  const first = argument(args, named, 1, "first");
  const blank = argument(args, named, 2, "blank");
  const columns = numberOf(width);
  if (columns !== undefined && (columns < 0 || columns > 1000))
    fail("indent wants a width of 0 to 1000");
  const margin = typeof width === "string" ? width : " ".repeat(columns ?? 4);
  const lines = input.split(/\r\n?|\n/);
  requireShort(lines.length * margin.length);
  const moved = lines.map((line, index) =>
    index === 0 || (line === "" && !(blank && isTrue(blank))) ? line : margin + line,
  );
  return (first && isTrue(first) ? margin : "") + moved.join("\n");
}

/** Asked before a text is made: afterwards it is there. */
function requireShort(chars: number): void {
  if (chars > MAX_CHARS) fail("the text would become too long");
}

function fail(message: string): never {
  throw new Error(message);
}
